# Settings of adaptation at random, judged on labelled validation images of targets that are not
# reported. Every trial adapts the source classifiers that the study trains anyway.
DEVELOPMENT_RUN = "results/development/{source}/{target}/{method}/trial{trial}/seed{seed}"
DEVELOPMENT = table("development") + ["results/development/best.yaml"]


use rule adapt_adda as develop_adda with:
    input:
        source=lambda w: manifests(w.source, "train"),
        target=lambda w: manifest(w.target, "unlabelled", "train"),
        weights=development_adda_start,
    output:
        **run_files(DEVELOPMENT_RUN.replace("{method}", "adda")),
    log:
        "logs/develop_adda/{source}/{target}/trial{trial}/seed{seed}.log",
    priority: 50
    params:
        source=lambda w: stores(w.source, "train"),
        target=lambda w: store(w.target, "unlabelled", "train"),
        encoder=lambda w: dump(CFG.encoders[CFG.development.encoder]),
        adda=lambda w: trial_section("adda", w.trial, "adda"),
        adabn=dump(CFG.adaptation.adabn),
        num_classes=len(CLASSES),
        symmetries=lambda w: [symmetry(w.source), symmetry(w.target)],
        setting=lambda w: setting(
            w, f"ADDA {w.source} to {w.target} trial {w.trial} seed {w.seed}"
        ),


use rule adapt_jointly as develop_jointly with:
    input:
        source=lambda w: manifests(w.source, "train"),
        target=lambda w: manifest(w.target, "unlabelled", "train"),
        weights=development_source,
    output:
        **run_files(DEVELOPMENT_RUN),
    log:
        "logs/develop_jointly/{source}/{target}/{method}/trial{trial}/seed{seed}.log",
    priority: 50
    params:
        source=lambda w: stores(w.source, "train"),
        target=lambda w: store(w.target, "unlabelled", "train"),
        own=lambda w: trial_section(w.method, w.trial, w.method),
        encoder=lambda w: dump(CFG.encoders[CFG.development.encoder]),
        joint=dump(CFG.adaptation.joint),
        distortion=dump(CFG.adaptation.distortion),
        adda=dump(CFG.adaptation.adda),
        adabn=dump(CFG.adaptation.adabn),
        num_classes=len(CLASSES),
        symmetries=lambda w: [symmetry(w.source), symmetry(w.target)],
        setting=lambda w: setting(
            w, f"{w.method} {w.source} to {w.target} trial {w.trial} seed {w.seed}"
        ),


use rule predict_adapted as predict_development with:
    input:
        test=lambda w: manifests(w.target, "val"),
        weights=f"{DEVELOPMENT_RUN}/weights.safetensors",
    output:
        predictions=f"{DEVELOPMENT_RUN}/validation.csv",
    log:
        "logs/predict_development/{source}/{target}/{method}/trial{trial}/seed{seed}.log",
    priority: 40
    params:
        test=lambda w: stores(w.target, "val"),
        classes=CLASSES,
        encoder=lambda w: dump(CFG.encoders[CFG.development.encoder]),
        symmetry=lambda w: test_symmetry(w.target),
        setting=lambda w: setting(w, "predict"),


rule tabulate_development:
    input:
        predictions=lambda w: [row["path"] for row in development_rows()],
        source=source("evaluation/adaptation/development.py", "evaluation/statistics/tables.py"),
    output:
        table("development"),
        best="results/development/best.yaml",
    log:
        "logs/tabulate_development.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        rows=lambda w: development_rows(),
        evaluation=dump(CFG.evaluation),
        seed=SEED,
    script:
        "../workflow_scripts/tabulate_development.py"


rule development:
    input:
        development_targets,
