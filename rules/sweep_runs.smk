# What each run of the sweep is given.
SWEPT_RUN = "results/sweep/{variant}/seed{seed}"


def sweep_domain():
    return CFG.sweep.domain or (CFG.anomaly.domains or CFG.domains)[0]


def sweep_variants():
    """Name of a run -> (factor, value); not more images than there are."""
    found = {}
    for factor, values in CFG.sweep.vary.items():
        for value in values:
            if factor == N_TRAIN:
                value = min(value, CFG.simulation.n_train)
            found[f"{factor}-{value}"] = factor, value
    return found


def as_shipped(variant):
    """Whether a run is that of the configured masked autoencoder."""
    factor, value = sweep_variants()[variant]
    return value == configured(CFG.anomaly, factor, CFG.simulation.n_train)


def swept_of(wildcards):
    """The masked autoencoder of a run and its scoring."""
    return swept(CFG.anomaly, *sweep_variants()[wildcards.variant])


def swept_weights(wildcards):
    """Weights of a run; those of the configured one where scores alone differ."""
    factor, _ = sweep_variants()[wildcards.variant]
    folder = SWEPT_RUN if retrained(factor) and not as_shipped(wildcards.variant) else MAE_RUN
    return f"{folder}/weights.safetensors".format(**wildcards, domain=sweep_domain())


def swept_n_train(wildcards):
    factor, value = sweep_variants()[wildcards.variant]
    return value if factor == N_TRAIN else None


def sweep_rows():
    """One row per value of every factor, score and seed."""
    rows = []
    for variant, (factor, value) in sweep_variants().items():
        for score in CFG.sweep.scores:
            for seed in CFG.sweep.seeds:
                folder = SWEPT_RUN.format(variant=variant, seed=seed)
                rows.append(
                    {
                        "domain": sweep_domain(),
                        "factor": factor,
                        "setting": value,
                        "score": score,
                        "seed": seed,
                        "path": f"{folder}/scores/{score}.csv",
                        "proxies": f"{folder}/proxies/{score}.csv",
                    }
                )
    return rows


def sweep_shipped():
    """Factor -> its value outside the sweep, to be marked in the figure."""
    n_train = CFG.simulation.n_train
    return {factor: configured(CFG.anomaly, factor, n_train) for factor in CFG.sweep.vary}


def sweep_files():
    return table("sweep") + figure("sweep")
