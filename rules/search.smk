# Search of hyperparameters: workers that share one study, its best trials trained again with other
# seeds, and the recipe that is best on validation images.


rule search_worker:
    """One of the workers that share the search: trials, judged on validation images."""
    input:
        train=data.seen(studies.domain("search"), "train"),
        validation=data.seen(studies.domain("search"), "val"),
    output:
        record="<results>/search/worker{worker}/record.json",
    log:
        "<logs>/search_worker/{worker}.log",
    priority: 50
    conda:
        "../envs/torch.yaml"
    threads: CFG.compute.threads
    resources:
        **needs(8000, 1440),
        gpu=GPU,
    params:
        train=data.stores(studies.domain("search"), "train"),
        validation=data.stores(studies.domain("search"), "val"),
        classes=CLASSES,
        start=studies.search_start(
            **CFG.search.model_dump(include={"epochs", "evaluations_per_epoch"})
        ),
        search=dump(CFG.search),
        setting=lambda w: setting(w, f"search, worker {w.worker}"),
    script:
        "../workflow_scripts/search_worker.py"


use rule tabulate as tabulate_search with:
    """Every trial of the search, importance of parameters, and candidates: tables."""
    input:
        records=expand(
            "<results>/search/worker{worker}/record.json", worker=range(CFG.search.workers)
        ),
    output:
        outputs=tabled("search_trials"),
        importance=at.table_csv("search_importance"),
        candidates="<results>/search/candidates.json",
    log:
        "<logs>/tabulate_search.log",
    params:
        code=code("evaluation.classification.search"),
        made_by="evaluation.classification.search:tabulate_trials",
        n_confirmed=CFG.search.n_confirmed,
        evaluation=dump(CFG.evaluation),
        seed=SEED,


rule train_candidate:
    """A candidate of the search, trained again with another seed."""
    input:
        candidates="<results>/search/candidates.json",
        train=data.seen(studies.domain("search"), "train"),
        validation=data.seen(studies.domain("search"), "val"),
    output:
        **run_files(studies.candidate_run),
        validation_predictions=f"{studies.candidate_run}/validation.csv",
    log:
        "<logs>/train_candidate/{candidate}/seed{seed}.log",
    priority: 50
    conda:
        "../envs/torch.yaml"
    threads: TRAINING_THREADS
    resources:
        **needs(8000, 720),
        gpu=TRAINING_GPUS,
    params:
        train=data.stores(studies.domain("search"), "train"),
        validation=data.stores(studies.domain("search"), "val"),
        classes=CLASSES,
        start=studies.search_start(),
        setting=lambda w: setting(w, f"search {w.candidate} seed {w.seed}"),
    script:
        "../workflow_scripts/train_candidate.py"


use rule tabulate as choose_recipe with:
    """The recipe that is best on validation images, as an overlay."""
    input:
        table=at.table_csv("search"),
        candidates="<results>/search/candidates.json",
    output:
        output="<results>/search/best.yaml",
    log:
        "<logs>/choose_recipe.log",
    params:
        made_by="evaluation.classification.search:choose_recipe",
        encoder=CFG.search.encoder,
        evaluation=dump(CFG.evaluation),


use rule plot as plot_search_trials with:
    """The trials of the search in their order."""
    input:
        trials=at.table_csv("search_trials"),
        importance=at.table_csv("search_importance"),
    output:
        output=pictured("studies/search_trials"),
    log:
        "<logs>/plot_search_trials.log",
    params:
        code=code("figures.search"),
        made_by="figures.search:plot_search_trials",
        title=studies.search_title(),
        figures=FIGURE_STYLE,


use rule plot as plot_search_parameters with:
    """Which parameters of the search matter, and where it is good."""
    input:
        trials=at.table_csv("search_trials"),
        importance=at.table_csv("search_importance"),
    output:
        output=pictured("studies/search_parameters"),
    log:
        "<logs>/plot_search_parameters.log",
    params:
        code=code("figures.search"),
        made_by="figures.search:plot_search_parameters",
        title=studies.search_title(),
        figures=FIGURE_STYLE,


rule search:
    """Search of hyperparameters: trials, confirmed candidates, the best as an overlay."""
    input:
        of_study("search", studies.results("search")),
        at.table("search_trials"),
        at.figure("studies/search_trials"),
        at.figure("studies/search_parameters"),
        "<results>/search/best.yaml",
