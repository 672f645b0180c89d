# Networks against the physical limit: their AUC on the limit's grid, and their share of the oracle's d'.
NETWORK_DOMAINS = [d for d in CFG.classifier.domains if d in CFG.limit_domains]
NETWORK_GRIDS = [d for d in NETWORK_DOMAINS if d in LIMIT_GRIDS]
NETWORK_LIMIT = table("network_limit") if NETWORK_DOMAINS else []
NETWORK_LIMIT += [
    file
    for d in NETWORK_GRIDS
    for name in ("networks", "efficiency")
    for file in figure(f"limit/{name}_{d}")
]
GRID_PARAMS = CFG.limit.model_dump(include={"f_sub", "magnitudes", "n_network_images"})


rule simulate_grid:
    output:
        folder=directory("results/limit/images/{domain}"),
    log:
        "logs/simulate_grid/{domain}.log",
    conda:
        "../envs/simulate.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 120 * attempt,
    params:
        domain=lambda w: dump(CFG.domain(w.domain)),
        classes=CLASSES,
        grid=GRID_PARAMS,
        simulation=CFG.simulation.model_dump(include={"engine", "precision"}),
        seed=SEED,
    script:
        "../workflow_scripts/simulate_grid.py"


rule predict_grid:
    input:
        folder="results/limit/images/{domain}",
        weights=f"{CLASSIFIER_RUN}/weights.safetensors",
    output:
        predictions="results/limit/predictions/{domain}/{encoder}/seed{seed}/grid.csv",
    log:
        "logs/predict_grid/{domain}/{encoder}/seed{seed}.log",
    conda:
        "../envs/torch.yaml"
    threads: CFG.compute.threads
    resources:
        gpu=GPU,
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 120 * attempt,
    params:
        classes=CLASSES,
        grid=GRID_PARAMS,
        encoder=lambda w: dump(CFG.encoders[w.encoder]),
        symmetry=lambda w: test_symmetry(w.domain),
        setting=lambda w: setting(w, f"grid {w.domain} {w.encoder} seed {w.seed}"),
    script:
        "../workflow_scripts/predict_grid.py"


rule predict_grid_radial_profile:
    input:
        folder="results/limit/images/{domain}",
        train=lambda w: manifests(w.domain, "train"),
    output:
        predictions="results/limit/predictions/{domain}/radial_profile/grid.csv",
    log:
        "logs/predict_grid_radial_profile/{domain}.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 6000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        train=lambda w: stores(w.domain, "train"),
        classes=CLASSES,
        grid=GRID_PARAMS,
        setting=lambda w: setting(w, "radial profile"),
    script:
        "../workflow_scripts/predict_grid_radial_profile.py"


rule measure_network_limit:
    input:
        limit="results/limit/{domain}.csv",
        predictions=lambda w: network_limit_files(w.domain),
        source=source("evaluation/limit/networks.py", "evaluation/statistics/bootstrap.py"),
    output:
        table="results/limit/networks/{domain}.csv",
    log:
        "logs/measure_network_limit/{domain}.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        runs=lambda w: network_limit_runs(w.domain),
        evaluation=dump(CFG.evaluation),
        seed=SEED,
    script:
        "../workflow_scripts/measure_network_limit.py"


rule tabulate_network_limit:
    input:
        tables=expand("results/limit/networks/{domain}.csv", domain=NETWORK_DOMAINS),
        source=source("evaluation/limit/networks.py", "evaluation/statistics/tables.py"),
    output:
        table("network_limit"),
    log:
        "logs/tabulate_network_limit.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        confidence=CFG.evaluation.confidence,
    script:
        "../workflow_scripts/tabulate_network_limit.py"


rule plot_network_limit:
    input:
        limit="results/limit/{domain}.csv",
        networks="results/limit/networks/{domain}.csv",
        source=source("figures/limit.py", "figures/network_limit.py", "figures/style.py"),
    output:
        networks=figure("limit/networks_{domain}"),
        efficiency=figure("limit/efficiency_{domain}"),
    log:
        "logs/plot_network_limit/{domain}.log",
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        title=lambda w: f"Networks and the physical limit, {w.domain}",
        figures=FIGURE_PARAMS,
    script:
        "../workflow_scripts/plot_network_limit.py"
