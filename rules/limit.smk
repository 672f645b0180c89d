# The physical limit: what any method can reach on one image.
LIMIT_TABLES = [f"results/limit/{d}.csv" for d in CFG.limit_domains]
# The grid is a figure only where the population has an f_sub.
LIMIT_GRIDS = [
    d
    for d in CFG.limit_domains
    if CFG.domain(d).population.cdm.profile == "tnfw" and CFG.limit.f_sub and CFG.limit.magnitudes
]
LIMIT = table("limit") if LIMIT_TABLES else []
LIMIT += [file for d in LIMIT_GRIDS for file in figure(f"limit/auc_{d}")]


rule measure_limit:
    input:
        source=source("evaluation/limit/bounds.py", "evaluation/limit/fisher.py", "simulate/response.py"),
    output:
        table="results/limit/{domain}.csv",
    log:
        "logs/measure_limit/{domain}.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 240 * attempt,
    params:
        domain=lambda w: dump(CFG.domain(w.domain)),
        classes=CLASSES,
        limit=CFG.limit.model_dump(exclude={"domains", "n_network_images"}),
        evaluation=dump(CFG.evaluation),
        seed=SEED,
    script:
        "../workflow_scripts/measure_limit.py"


rule tabulate_limit:
    input:
        tables=LIMIT_TABLES,
        source=source("evaluation/limit/bounds.py", "evaluation/statistics/tables.py"),
    output:
        table("limit"),
    log:
        "logs/tabulate_limit.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        confidence=CFG.evaluation.confidence,
    script:
        "../workflow_scripts/tabulate_limit.py"


rule plot_limit:
    input:
        table="results/limit/{domain}.csv",
        source=source("figures/limit.py", "figures/style.py"),
    output:
        figure("limit/auc_{domain}"),
    log:
        "logs/plot_limit/{domain}.log",
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        title=lambda w: f"Physical limit of one image, {w.domain}",
        figures=FIGURE_PARAMS,
    script:
        "../workflow_scripts/plot_limit.py"
