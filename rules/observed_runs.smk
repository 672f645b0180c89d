# Networks and files behind the scores of observed cut-outs.
OBSERVED_DOMAIN = CFG.observed.domain or CFG.classifier.domains[0]


def observed_files():
    """Files of the cut-outs that exist: one that does not is a row of the table with its reason."""
    files = []
    for lens in CFG.observed.lenses.values():
        files += [lens.image, *([lens.noise_map] if lens.noise_map else [])]
    return [file for file in dict.fromkeys(files) if Path(file).exists()]


def observed_classifiers():
    """Folders of the classifiers of every seed, of the first encoder."""
    encoder = CFG.classifier.encoders[0]
    return [
        CLASSIFIER_RUN.format(domain=OBSERVED_DOMAIN, encoder=encoder, seed=seed)
        for seed in CFG.classifier.seeds
    ]


def observed_detectors():
    if OBSERVED_DOMAIN not in CFG.anomaly.domains:
        return []
    runs = [MAE_RUN.format(domain=OBSERVED_DOMAIN, seed=seed) for seed in CFG.anomaly.seeds]
    return [f"{run}/weights.safetensors" for run in runs]
