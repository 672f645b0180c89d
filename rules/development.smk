# Settings of adaptation at random, judged on labelled validation images of a target that is not
# reported. Every trial adapts the source classifiers that the study trains anyway.
DEVELOPMENT_RUN = "results/development/{method}/trial{trial}/seed{seed}"
DEVELOPMENT = table("development") + ["results/development/best.yaml"]


use rule adapt_adda as develop_adda with:
    input:
        source=lambda w: manifests(CFG.development.pair.source, "train"),
        target=lambda w: manifest(CFG.development.pair.target, "unlabelled", "train"),
        weights=development_source,
    output:
        **run_files(DEVELOPMENT_RUN.format(method="adda", trial="{trial}", seed="{seed}")),
    log:
        "logs/develop_adda/trial{trial}/seed{seed}.log",
    priority: 50
    params:
        source=lambda w: stores(CFG.development.pair.source, "train"),
        target=lambda w: store(CFG.development.pair.target, "unlabelled", "train"),
        encoder=lambda w: dump(CFG.encoders[CFG.development.encoder]),
        adda=lambda w: trial_section("adda", w.trial, "adda"),
        adabn=dump(CFG.adaptation.adabn),
        num_classes=len(CLASSES),
        symmetries=lambda w: development_symmetries(),
        setting=lambda w: setting(w, f"ADDA, trial {w.trial} seed {w.seed}"),


use rule adapt_jointly as develop_jointly with:
    input:
        source=lambda w: manifests(CFG.development.pair.source, "train"),
        target=lambda w: manifest(CFG.development.pair.target, "unlabelled", "train"),
        weights=development_source,
    output:
        **run_files(DEVELOPMENT_RUN),
    log:
        "logs/develop_jointly/{method}/trial{trial}/seed{seed}.log",
    priority: 50
    params:
        source=lambda w: stores(CFG.development.pair.source, "train"),
        target=lambda w: store(CFG.development.pair.target, "unlabelled", "train"),
        own=lambda w: trial_section(w.method, w.trial, w.method),
        encoder=lambda w: dump(CFG.encoders[CFG.development.encoder]),
        joint=dump(CFG.adaptation.joint),
        distortion=dump(CFG.adaptation.distortion),
        adda=dump(CFG.adaptation.adda),
        adabn=dump(CFG.adaptation.adabn),
        num_classes=len(CLASSES),
        symmetries=lambda w: development_symmetries(),
        setting=lambda w: setting(w, f"{w.method}, trial {w.trial} seed {w.seed}"),


use rule predict_adapted as predict_development with:
    input:
        test=lambda w: manifests(CFG.development.pair.target, "val"),
        weights=f"{DEVELOPMENT_RUN}/weights.safetensors",
    output:
        predictions=f"{DEVELOPMENT_RUN}/validation.csv",
    log:
        "logs/predict_development/{method}/trial{trial}/seed{seed}.log",
    priority: 40
    params:
        test=lambda w: stores(CFG.development.pair.target, "val"),
        classes=CLASSES,
        encoder=lambda w: dump(CFG.encoders[CFG.development.encoder]),
        symmetry=lambda w: test_symmetry(CFG.development.pair.target),
        setting=lambda w: setting(w, "predict"),


rule tabulate_development:
    input:
        predictions=lambda w: [row["path"] for row in development_rows()],
        source=source("evaluation/development.py", "evaluation/tables.py"),
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
        runtime=60,
    params:
        rows=lambda w: development_rows(),
        pair=lambda w: f"{CFG.development.pair.source} to {CFG.development.pair.target}",
        evaluation=dump(CFG.evaluation),
        seed=SEED,
    script:
        "../workflow_scripts/tabulate_development.py"


rule development:
    input:
        development_targets,
