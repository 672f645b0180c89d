# Search of hyperparameters: workers that share one study, its best trials trained again with other
# seeds, and the recipe that is best on validation images.
CANDIDATE_RUN = "results/studies/search/{candidate}/seed{seed}"


rule search_worker:
    input:
        train=manifests(study_domain("search"), "train"),
        validation=manifests(study_domain("search"), "val"),
    output:
        record="results/search/worker{worker}/record.json",
    log:
        "logs/search_worker/{worker}.log",
    priority: 50
    conda:
        "../envs/torch.yaml"
    threads: CFG.compute.threads
    resources:
        gpu=GPU,
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=lambda wildcards, attempt: 1440 * attempt,
    params:
        train=stores(study_domain("search"), "train"),
        validation=stores(study_domain("search"), "val"),
        classes=CLASSES,
        start=search_start(**CFG.search.model_dump(include={"epochs", "evaluations_per_epoch"})),
        search=dump(CFG.search),
        setting=lambda w: setting(w, f"search, worker {w.worker}"),
    script:
        "../workflow_scripts/search_worker.py"


rule tabulate_search:
    input:
        records=expand(
            "results/search/worker{worker}/record.json", worker=range(CFG.search.workers)
        ),
        source=source("evaluation/classification/search.py", "evaluation/statistics/comparison.py", "evaluation/statistics/tables.py"),
    output:
        table("search_trials"),
        importance="results/tables/search_importance.csv",
        candidates="results/search/candidates.json",
    log:
        "logs/tabulate_search.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        n_confirmed=CFG.search.n_confirmed,
        evaluation=dump(CFG.evaluation),
        seed=SEED,
    script:
        "../workflow_scripts/tabulate_search.py"


rule train_candidate:
    input:
        candidates="results/search/candidates.json",
        train=manifests(study_domain("search"), "train"),
        validation=manifests(study_domain("search"), "val"),
    output:
        **run_files(CANDIDATE_RUN),
        validation_predictions=f"{CANDIDATE_RUN}/validation.csv",
    log:
        "logs/train_candidate/{candidate}/seed{seed}.log",
    priority: 50
    conda:
        "../envs/torch.yaml"
    threads: TRAINING_THREADS
    resources:
        gpu=TRAINING_GPUS,
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=lambda wildcards, attempt: 720 * attempt,
    params:
        train=stores(study_domain("search"), "train"),
        validation=stores(study_domain("search"), "val"),
        classes=CLASSES,
        start=search_start(),
        setting=lambda w: setting(w, f"search {w.candidate} seed {w.seed}"),
    script:
        "../workflow_scripts/train_candidate.py"


rule choose_recipe:
    input:
        table="results/tables/search.csv",
        candidates="results/search/candidates.json",
    output:
        overlay="results/search/best.yaml",
    log:
        "logs/choose_recipe.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        encoder=CFG.search.encoder,
        evaluation=dump(CFG.evaluation),
    script:
        "../workflow_scripts/choose_recipe.py"


rule plot_search:
    input:
        trials="results/tables/search_trials.csv",
        importance="results/tables/search_importance.csv",
        source=source("figures/search.py", "figures/style.py"),
    output:
        trials=figure("studies/search_trials"),
        parameters=figure("studies/search_parameters"),
    log:
        "logs/plot_search.log",
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        title=f"Search of hyperparameters, {CFG.search.encoder}, {study_domain('search')}",
        figures=FIGURE_PARAMS,
    script:
        "../workflow_scripts/plot_search.py"
