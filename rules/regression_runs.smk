# Which regressions the configuration asks for, and what their rules are given.
from lensml.physics.cosmology import lens_distances
from lensml.schema.regression import TARGETS

REGRESSION_RUN = "results/regression/{domain}/{substructure}/{encoder}/seed{seed}"
REGRESSION_BASELINES = ("prior", "radial_profile")
REGRESSED = [s for s in CLASSES if s in TARGETS]


def regression_params():
    """The recipe, without the lists that say which runs exist."""
    return CFG.regression.model_dump(exclude={"domains", "encoders"})


def einstein_mass(domain):
    """Msun inside an Einstein radius of 1 arcsec, as the domain deflects: its masses' unit."""
    population = CFG.domain(domain).population
    distances = lens_distances(
        population.cosmology, population.z_lens, population.z_source, population.distances
    )
    return float(distances.mass_of_theta_E(1.0)) / population.deflection_scale


def target_params(wildcards):
    """What is regressed on the images of a class."""
    return {
        "substructure": wildcards.substructure,
        "einstein_mass": einstein_mass(wildcards.domain),
    }


def regression_start(wildcards):
    """Weights of the classifier that a regression starts from, if any."""
    if CFG.regression.initialise == "scratch":
        return []
    run = classifier_run(wildcards.domain, wildcards.encoder, wildcards.seed)
    return [f"{run}/weights.safetensors"]


def regression_rows():
    """Rows of the table: every network and baseline of every class."""
    rows = []
    for domain in CFG.regression.domains:
        for substructure in REGRESSED:
            folder = f"results/regression/{domain}/{substructure}"
            runs = [
                (encoder, seed, f"{folder}/{encoder}/seed{seed}")
                for encoder in CFG.regression.encoders
                for seed in CFG.classifier.seeds
            ]
            runs += [(model, 0, f"{folder}/{model}") for model in REGRESSION_BASELINES]
            rows += [
                {
                    "domain": domain,
                    "substructure": substructure,
                    "target": TARGETS[substructure],
                    "model": model,
                    "seed": seed,
                    "path": f"{run}/predictions.csv",
                }
                for model, seed, run in runs
            ]
    return rows


def regression_networks(domain):
    """Rows of the table that are networks of a domain."""
    return [
        row
        for row in regression_rows()
        if row["domain"] == domain and row["model"] not in REGRESSION_BASELINES
    ]


def regression_weights():
    return [
        str(Path(row["path"]).with_name("weights.safetensors"))
        for domain in CFG.regression.domains
        for row in regression_networks(domain)
    ]
