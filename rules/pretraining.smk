# Classifiers on a share of the labels, from the masked autoencoder and from scratch. No other target
# asks for them.


use rule train_variant as train_started with:
    input:
        train=manifests(pretraining_domain(), "train"),
        validation=manifests(pretraining_domain(), "val"),
        sizes=[],
        mae=lambda w: [pretraining_mae(w)] if w.start == "pretrained" else [],
    output:
        **run_files(STARTED_RUN),
        validation_predictions=f"{STARTED_RUN}/validation.csv",
    log:
        "logs/train_started/{start}/{fraction}/seed{seed}.log",
    wildcard_constraints:
        start="pretrained|scratch|shipped",
        fraction=r"[0-9.e-]+",
    params:
        train=stores(pretraining_domain(), "train"),
        validation=stores(pretraining_domain(), "val"),
        classes=CLASSES,
        recipe=started_recipe,
        n_train=labelled("train"),
        n_validation=labelled("val"),
        steps=pretraining_steps(),
        redraw_noise=False,
        symmetry=symmetry(pretraining_domain()),
        setting=lambda w: setting(w, f"{w.start} {w.fraction} seed {w.seed}"),


use rule predict_variant as predict_started with:
    input:
        test=manifests(pretraining_domain(), "test"),
        weights=f"{STARTED_RUN}/weights.safetensors",
    output:
        predictions=f"{STARTED_RUN}/predictions.csv",
    log:
        "logs/predict_started/{start}/{fraction}/seed{seed}.log",
    wildcard_constraints:
        start="pretrained|scratch|shipped",
        fraction=r"[0-9.e-]+",
    params:
        test=stores(pretraining_domain(), "test"),
        classes=CLASSES,
        encoder=lambda w: started_recipe(w)["encoder"],
        symmetry=test_symmetry(pretraining_domain()),
        setting=lambda w: setting(w, "predict"),


rule probe_mae:
    input:
        train=manifests(pretraining_domain(), "train"),
        validation=manifests(pretraining_domain(), "val"),
        test=manifests(pretraining_domain(), "test"),
        weights=pretraining_mae,
    output:
        predictions="results/pretraining/linear_probe/{fraction}/seed{seed}/predictions.csv",
    log:
        "logs/probe_mae/{fraction}/seed{seed}.log",
    wildcard_constraints:
        fraction=r"[0-9.e-]+",
    conda:
        "../envs/torch.yaml"
    threads: CFG.compute.threads
    resources:
        gpu=GPU,
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        train=stores(pretraining_domain(), "train"),
        validation=stores(pretraining_domain(), "val"),
        test=stores(pretraining_domain(), "test"),
        classes=CLASSES,
        mae=dump(CFG.anomaly.mae),
        n_train=labelled("train"),
        n_validation=labelled("val"),
        candidates=CFG.pretraining.probe_C,
        setting=lambda w: setting(w, "linear probe"),
    script:
        "../workflow_scripts/probe_mae.py"


use rule tabulate_classification as tabulate_pretraining with:
    input:
        predictions=[row["path"] for row in pretraining_rows()],
        audits=audits(pretraining_rows(), "domain"),
        source=source(
            "evaluation/statistics/tables.py",
            "evaluation/statistics/comparison.py",
            "evaluation/statistics/metrics.py",
            "evaluation/statistics/bootstrap.py",
            "evaluation/audit/verdicts.py",
        ),
    output:
        table("pretraining"),
    log:
        "logs/tabulate_pretraining.log",
    params:
        kind="pretraining",
        rows=pretraining_rows(),
        evaluation=dump(CFG.evaluation),
        seed=SEED,


rule plot_pretraining:
    input:
        table="results/tables/pretraining.csv",
        source=source("figures/pretraining.py", "figures/style.py"),
    output:
        figure("pretraining"),
    log:
        "logs/plot_pretraining.log",
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        title=f"Masked autoencoder as a start, {pretraining_domain()}",
        figures=FIGURE_PARAMS,
    script:
        "../workflow_scripts/plot_pretraining.py"
