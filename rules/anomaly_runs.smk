# Scores of anomaly that the configuration asks for.
ANOMALY_BASELINES = {"pca": ["residual", "chi2"], "total_flux": ["flux"]}  # method -> its scores


def anomaly_rows():
    """One row per domain, method, score and seed."""
    rows = []
    for domain in CFG.anomaly.domains:
        folder = f"results/anomaly/{domain}"
        rows += [
            {
                "domain": domain,
                "method": "mae",
                "score": score,
                "seed": seed,
                "path": f"{folder}/mae/seed{seed}/scores/{score}.csv",
            }
            for score in CFG.anomaly.scores
            for seed in CFG.anomaly.seeds
        ]
        rows += [
            {
                "domain": domain,
                "method": method,
                "score": score,
                "seed": 0,
                "path": f"{folder}/{method}/scores/{score}.csv",
            }
            for method, scores in ANOMALY_BASELINES.items()
            for score in scores
        ]
    return rows


def scoring_params():
    """What the scores depend on, without the lists that say which runs exist."""
    section = dump(CFG.anomaly)
    return {**section, "domains": [], "seeds": [0]}


def anomaly_scores(domain):
    """Method -> every seed's scores of its first kind: the headline, declared beforehand."""
    found = {}
    for row in anomaly_rows():
        first = {"mae": CFG.anomaly.scores}.get(row["method"]) or ANOMALY_BASELINES[row["method"]]
        if row["domain"] == domain and row["score"] == first[0]:
            found.setdefault(row["method"], []).append(row["path"])
    return found
