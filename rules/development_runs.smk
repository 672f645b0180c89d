# Trials of the settings of adaptation.
def trial_of(method, trial):
    """The sections of adaptation as a trial of a method changes them."""
    return changed(CFG.adaptation, trial_values(CFG.development, method, int(trial), SEED))


def trial_section(method, trial, section):
    return dump(getattr(trial_of(method, trial), section))


def development_source(wildcards):
    """The source classifier that a trial adapts."""
    run = classifier_run(wildcards.source, CFG.development.encoder, wildcards.seed)
    return f"{run}/weights.safetensors"


def development_adda_start(wildcards):
    """The classifier that a trial of ADDA adapts: see adda_start."""
    start = trial_of("adda", wildcards.trial).adda.start
    if start == REFERENCE:
        return development_source(wildcards)
    run = expand(DEVELOPMENT_RUN, **{**wildcards, "method": start, "trial": 0})[0]
    return f"{run}/weights.safetensors"


def development_rows():
    spec = CFG.development

    def path(pair, method, trial, seed):
        wildcards = {**dump(pair), "method": method, "trial": trial, "seed": seed}
        return f"{expand(DEVELOPMENT_RUN, **wildcards)[0]}/validation.csv"

    return [
        {
            "source_domain": pair.source,
            "target_domain": pair.target,
            "method": method,
            "trial": trial,
            "values": trial_values(spec, method, trial, SEED),
            "configured": configured_values(spec, method, CFG.adaptation),
            "seed": seed,
            "path": path(pair, method, trial, seed),
            "reference": path(pair, method, 0, seed) if trial else "",
        }
        for method in spec.methods
        for pair in spec.pairs
        for trial in range(spec.n_trials)
        for seed in spec.seeds
    ]


def development_targets(wildcards):
    """Nothing is developed without a pair."""
    if not CFG.development.pairs:
        raise ValueError(
            "development.pairs is empty: name sources and targets whose labels may be used "
            "(config/development.yaml does)"
        )
    return DEVELOPMENT
