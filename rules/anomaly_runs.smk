# Scores of anomaly that the configuration asks for.
AUTOENCODER_RUN = "results/anomaly/{domain}/{method}/seed{seed}"
AUTOENCODERS = get_args(AutoencoderMethod)
PROXIES = "results/proxies/{domain}.zarr"
PROXY_MANIFEST = "results/proxies/{domain}.manifest.json"
ANOMALY_BASELINES = {
    "pca": ["residual", "chi2"],
    "macro_fit": ["chi2"],
    "total_flux": ["flux"],
}  # method -> its scores


def scored(domain, scores, limit=None):
    """Images that a method scores, for the scripts: the test's, and proxies beside their originals."""
    validation = [store(domain, "no_sub", "val"), PROXIES.format(domain=domain)]
    pairs = min(CFG.anomaly.proxies.n_images, limit or CFG.anomaly.proxies.n_images)
    return {
        "scores": scores,
        "parts": [
            {"stores": stores(domain, "test"), "classes": CLASSES, "limit": limit},
            {"stores": validation, "classes": ["no_sub", "proxy"], "limit": pairs},
        ],
    }


def supervised_predictions(wildcards):
    """Test predictions of the classifier that is the ceiling."""
    return f"{CLASSIFIER_RUN}/predictions.csv".format(
        domain=wildcards.domain, encoder=CFG.classifier.encoders[0], seed=wildcards.seed
    )


def scored_manifests(domain):
    """What a rule that scores waits for."""
    proxies = store_files(PROXIES.format(domain=domain))
    return [*manifests(domain, "test"), *manifest(domain, "no_sub", "val"), *proxies]


def score_files(folder, scores):
    """Scores of the test's images, and of proxies."""
    kinds = ("scores", "proxies")
    return {kind: [f"{folder}/{kind}/{score}.csv" for score in scores] for kind in kinds}


def anomaly_rows():
    """One row per domain, method, score and seed."""
    rows = []
    for domain in CFG.anomaly.domains:
        folder = f"results/anomaly/{domain}"
        rows += [
            {
                "domain": domain,
                "method": method,
                "score": score,
                "seed": seed,
                "path": f"{folder}/{method}/seed{seed}/scores/{score}.csv",
                "proxies": f"{folder}/{method}/seed{seed}/proxies/{score}.csv",
            }
            for method, scores in trained_detectors().items()
            for score in scores
            for seed in CFG.anomaly.seeds
        ]
        rows += [
            {
                "domain": domain,
                "method": method,
                "score": score,
                "seed": 0,
                "path": f"{folder}/{method}/scores/{score}.csv",
                "proxies": f"{folder}/{method}/proxies/{score}.csv",
            }
            for method, scores in ANOMALY_BASELINES.items()
            for score in scores
            if method != "macro_fit" or CFG.anomaly.macro_fit.enabled
        ]
        if domain in CFG.classifier.domains:
            rows += [
                {
                    "domain": domain,
                    "method": "supervised",
                    "score": "probability",
                    "seed": seed,
                    "path": f"{folder}/supervised/seed{seed}/scores/probability.csv",
                    "proxies": "",
                }
                for seed in CFG.classifier.seeds
            ]
    return rows


def trained_detectors():
    """Method -> its scores, for those that are trained once per seed."""
    rivals = CFG.anomaly.autoencoders.methods
    return {"mae": CFG.anomaly.scores, **dict.fromkeys(rivals, ["mse"])}


def fit_params():
    """What fits depend on, without the switch that says whether they exist."""
    return {**dump(CFG.anomaly.macro_fit), "enabled": True}


def scoring_params():
    """What scores of the masked autoencoder depend on."""
    section = dump(CFG.anomaly)
    return {key: section[key] for key in Scoring.model_fields}


def anomaly_scores(domain):
    """Method -> every seed's scores of its first kind: the headline, declared beforehand."""
    first = {method: s[0] for method, s in (trained_detectors() | ANOMALY_BASELINES).items()}
    first["supervised"] = "probability"
    found = {}
    for row in anomaly_rows():
        if row["domain"] == domain and row["score"] == first[row["method"]]:
            found.setdefault(row["method"], []).append(row["path"])
    return found


def anomaly_results():
    """Table and figures of anomaly detection alone."""
    names = [name for name in figure_names() if name.startswith("anomaly/")]
    files = [path for name in names for path in figure(name)]
    strength = [f"results/tables/anomaly_strength_{d}.csv" for d in CFG.anomaly.domains]
    return table("anomaly") + strength + files if CFG.anomaly.domains else []


MACRO_FIT = "results/anomaly/{domain}/macro_fit"


def fitted_store(wildcards):
    """The images of a part: a class of the test, validation images, or proxies of these."""
    if wildcards.part == "proxy":
        return PROXIES.format(domain=wildcards.domain)
    validation = wildcards.part == "validation"
    return store(
        wildcards.domain,
        "no_sub" if validation else wildcards.part,
        "val" if validation else "test",
    )


def fitted_files(wildcards):
    """What fits of a part wait for."""
    split = "val" if wildcards.part == "validation" else "test"
    return store_files(fitted_store(wildcards), n_blocks(split) * (wildcards.part != "proxy"))
