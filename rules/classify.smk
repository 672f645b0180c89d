# Supervised classifiers and the shortcut baseline.


rule train_classifier:
    input:
        train=lambda w: manifests(w.domain, "train"),
        validation=lambda w: manifests(w.domain, "val"),
    output:
        **run_files(CLASSIFIER_RUN),
    log:
        "logs/train_classifier/{domain}/{encoder}/seed{seed}.log",
    priority: 100
    conda:
        "../envs/torch.yaml"
    threads: TRAINING_THREADS
    resources:
        gpu=TRAINING_GPUS,
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=lambda wildcards, attempt: 720 * attempt,
    params:
        train=lambda w: stores(w.domain, "train"),
        validation=lambda w: stores(w.domain, "val"),
        encoder=lambda w: dump(CFG.encoders[w.encoder]),
        classifier=classifier_params,
        symmetry=lambda w: symmetry(w.domain),
        setting=lambda w: setting(w, f"classifier {w.domain} {w.encoder} seed {w.seed}"),
    script:
        "../workflow_scripts/train_classifier.py"


rule predict_classifier:
    input:
        test=lambda w: manifests(w.domain, "test"),
        weights=f"{CLASSIFIER_RUN}/weights.safetensors",
    output:
        predictions=f"{CLASSIFIER_RUN}/predictions.csv",
    log:
        "logs/predict_classifier/{domain}/{encoder}/seed{seed}.log",
    conda:
        "../envs/torch.yaml"
    threads: CFG.compute.threads
    resources:
        gpu=GPU,
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        test=lambda w: stores(w.domain, "test"),
        classes=CLASSES,
        encoder=lambda w: dump(CFG.encoders[w.encoder]),
        symmetry=lambda w: test_symmetry(w.domain),
        setting=lambda w: setting(w, "predict"),
    script:
        "../workflow_scripts/predict.py"


rule predict_validation:
    input:
        test=lambda w: manifests(w.domain, "val"),
        weights=f"{CLASSIFIER_RUN}/weights.safetensors",
    output:
        predictions=f"{CLASSIFIER_RUN}/validation.csv",
    log:
        "logs/predict_validation/{domain}/{encoder}/seed{seed}.log",
    conda:
        "../envs/torch.yaml"
    threads: CFG.compute.threads
    resources:
        gpu=GPU,
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        test=lambda w: stores(w.domain, "val"),
        classes=CLASSES,
        encoder=lambda w: dump(CFG.encoders[w.encoder]),
        symmetry=lambda w: test_symmetry(w.domain),
        setting=lambda w: setting(w, "predict"),
    script:
        "../workflow_scripts/predict.py"


rule calibrate_classifier:
    input:
        validation=f"{CLASSIFIER_RUN}/validation.csv",
        source=source("evaluation/classification/calibration.py"),
    output:
        calibration=f"{CLASSIFIER_RUN}/calibration.json",
    log:
        "logs/calibrate_classifier/{domain}/{encoder}/seed{seed}.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    script:
        "../workflow_scripts/calibrate_classifier.py"


rule predict_radial_profile:
    input:
        train=lambda w: manifests(w.domain, "train"),
        test=lambda w: manifests(w.domain, "test"),
    output:
        predictions="results/classification/{domain}/radial_profile/predictions.csv",
    log:
        "logs/predict_radial_profile/{domain}.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 6000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        train=lambda w: stores(w.domain, "train"),
        test=lambda w: stores(w.domain, "test"),
        classes=CLASSES,
        setting=lambda w: setting(w, "radial profile"),
    script:
        "../workflow_scripts/predict_radial_profile.py"
