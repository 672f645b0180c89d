# Scores of anomaly that the configuration asks for.
ANOMALY_BASELINES = {"pca": "residual", "total_flux": "flux"}  # method -> its score


def anomaly_rows():
    """One row per domain, method, score and seed."""
    rows = []
    for domain in CFG.anomaly.domains:
        folder = f"results/anomaly/{domain}"
        rows += [
            {
                "domain": domain,
                "method": "mae",
                "score": "mse",
                "seed": seed,
                "path": f"{folder}/mae/seed{seed}/scores.csv",
            }
            for seed in CFG.anomaly.seeds
        ]
        rows += [
            {
                "domain": domain,
                "method": method,
                "score": score,
                "seed": 0,
                "path": f"{folder}/{method}/scores.csv",
            }
            for method, score in ANOMALY_BASELINES.items()
        ]
    return rows


def anomaly_scores(domain):
    """Method -> scores of every seed."""
    found = {}
    for row in anomaly_rows():
        if row["domain"] == domain:
            found.setdefault(row["method"], []).append(row["path"])
    return found
