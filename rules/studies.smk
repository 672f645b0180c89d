# Studies beside the shipped classifier: encoders at equal compute, parts of the recipe, number of
# images. No other target asks for them.
STUDY_RUN = "results/studies/{study}/{variant}/seed{seed}"


rule measure_encoder:
    output:
        size="results/encoders/{encoder}_{img_size}.json",
    log:
        "logs/measure_encoder/{encoder}_{img_size}.log",
    priority: 200
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        encoder=lambda w: dump(CFG.encoders[w.encoder]),
        img_size=lambda w: int(w.img_size),
    script:
        "../workflow_scripts/measure_encoder.py"


rule train_variant:
    input:
        train=lambda w: manifests(study_of(w)["train_domain"], "train"),
        validation=lambda w: manifests(study_of(w)["domain"], "val"),
        sizes=lambda w: study_of(w)["sizes"],
        mae=lambda w: study_of(w)["mae"],
    output:
        **run_files(STUDY_RUN),
        validation_predictions=f"{STUDY_RUN}/validation.csv",
    log:
        "logs/train_variant/{study}/{variant}/seed{seed}.log",
    wildcard_constraints:
        study="zoo|ablation|scaling",
    priority: 50
    conda:
        "../envs/torch.yaml"
    threads: TRAINING_THREADS
    resources:
        gpu=TRAINING_GPUS,
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=lambda wildcards, attempt: 720 * attempt,
    params:
        train=lambda w: stores(study_of(w)["train_domain"], "train"),
        validation=lambda w: stores(study_of(w)["domain"], "val"),
        classes=CLASSES,
        recipe=lambda w: study_of(w)["recipe"],
        n_train=lambda w: study_of(w)["n_train"],
        n_validation=None,
        steps=lambda w: study_of(w)["steps"],
        redraw_noise=lambda w: study_of(w)["redraw_noise"],
        symmetry=lambda w: symmetry(study_of(w)["domain"]),
        setting=lambda w: study_setting(w),
    script:
        "../workflow_scripts/train_variant.py"


rule predict_variant:
    input:
        test=lambda w: manifests(study_of(w)["domain"], "test"),
        weights=f"{STUDY_RUN}/weights.safetensors",
    output:
        predictions=f"{STUDY_RUN}/predictions.csv",
    log:
        "logs/predict_variant/{study}/{variant}/seed{seed}.log",
    wildcard_constraints:
        study="zoo|ablation|scaling",
    conda:
        "../envs/torch.yaml"
    threads: CFG.compute.threads
    resources:
        gpu=GPU,
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        test=lambda w: stores(study_of(w)["domain"], "test"),
        classes=CLASSES,
        encoder=lambda w: study_of(w)["recipe"]["encoder"],
        symmetry=lambda w: test_symmetry(study_of(w)["domain"]),
        setting=lambda w: study_setting(w),
    script:
        "../workflow_scripts/predict.py"


rule tabulate_study:
    input:
        predictions=lambda w: [row["path"] for row in study_rows(w.study)],
        runs=lambda w: [row["run"] for row in study_rows(w.study) if row["run"]],
        audits=lambda w: audits([{"domain": study_domain(w.study)}], "domain"),
        source=source("evaluation/classification/studies.py", "evaluation/statistics/tables.py", "evaluation/statistics/metrics.py"),
    output:
        table("{study}"),
        curves="results/tables/{study}_curves.csv",
    log:
        "logs/tabulate_study/{study}.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        rows=lambda w: study_rows(w.study),
        compare_with=lambda w: study_reference(w.study),
        evaluation=dump(CFG.evaluation),
        seed=SEED,
    script:
        "../workflow_scripts/tabulate_study.py"


rule plot_study:
    input:
        table="results/tables/{study}.csv",
        curves="results/tables/{study}_curves.csv",
        source=source("figures/studies.py", "figures/style.py"),
    output:
        figure("studies/{study}"),
    log:
        "logs/plot_study/{study}.log",
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        title=lambda w: f"{STUDY_TITLES[w.study]}, {study_domain(w.study)}",
        figures=FIGURE_PARAMS,
    script:
        "../workflow_scripts/plot_study.py"
