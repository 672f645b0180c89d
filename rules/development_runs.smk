# Trials of the settings of adaptation.
def trial_section(method, trial, section):
    """A section of adaptation as a trial changes it."""
    values = trial_values(CFG.development, method, int(trial), SEED)
    return dump(getattr(changed(CFG.adaptation, values), section))


def development_source(wildcards):
    """The source classifier that a trial adapts."""
    spec = CFG.development
    return f"{classifier_run(spec.pair.source, spec.encoder, wildcards.seed)}/weights.safetensors"


def development_symmetries():
    return [symmetry(CFG.development.pair.source), symmetry(CFG.development.pair.target)]


def development_rows():
    spec = CFG.development

    def path(method, trial, seed):
        return f"results/development/{method}/trial{trial}/seed{seed}/validation.csv"

    return [
        {
            "method": method,
            "trial": trial,
            "values": trial_values(spec, method, trial, SEED),
            "configured": configured_values(spec, method, CFG.adaptation),
            "seed": seed,
            "path": path(method, trial, seed),
            "reference": path(method, 0, seed) if trial else "",
        }
        for method in spec.methods
        for trial in range(spec.n_trials)
        for seed in spec.seeds
    ]


def development_targets(wildcards):
    """Nothing is developed without a pair."""
    if CFG.development.pair is None:
        raise ValueError(
            "development.pair is not set: name a source and a target whose labels may be used "
            "(config/development.yaml does)"
        )
    return DEVELOPMENT
