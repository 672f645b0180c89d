# Which attribution maps the configuration asks for.
MAPS_RUN = "results/attribution/{domain}/{encoder}/seed{seed}"
MAP_BASELINES = ("brightness", "uniform")


def map_params():
    """How maps are made, without the lists that say of which runs."""
    return CFG.attribution.model_dump(exclude={"domains", "encoders", "seeds"})


def attribution_rows():
    """Rows of the table: every network, and what needs none."""
    rows = []
    for domain in CFG.attributed("domains"):
        folder = f"results/attribution/{domain}"
        runs = [
            (encoder, seed, f"{folder}/{encoder}/seed{seed}/scores.csv")
            for encoder in CFG.attributed("encoders")
            for seed in CFG.attributed("seeds")
        ]
        runs.append(("none", 0, f"{folder}/baselines.csv"))
        rows += [
            {
                "domain": domain,
                "model": model,
                "seed": seed,
                "path": path,
                "reference": f"{folder}/baselines.csv",
            }
            for model, seed, path in runs
        ]
    return rows


def attribution_figures():
    return [
        file
        for domain in CFG.attributed("domains")
        for encoder in CFG.attributed("encoders")
        for file in figure(f"attribution/{domain}_{encoder}")
    ]


def mapped_examples(wildcards):
    """Maps of the first seed, which the figure shows."""
    seed = CFG.attributed("seeds")[0]
    return f"results/attribution/{wildcards.domain}/{wildcards.encoder}/seed{seed}/examples.npz"
