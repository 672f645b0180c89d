# Substructure as an anomaly: masked autoencoders and baselines, trained on no_sub alone.


rule train_mae:
    input:
        train=lambda w: manifest(w.domain, "no_sub", "train"),
        validation=lambda w: manifest(w.domain, "no_sub", "val"),
    output:
        **run_files(MAE_RUN),
    log:
        "logs/train_mae/{domain}/seed{seed}.log",
    priority: 70
    conda:
        "../envs/torch.yaml"
    threads: TRAINING_THREADS
    resources:
        gpu=TRAINING_GPUS,
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=720,
    params:
        train=lambda w: store(w.domain, "no_sub", "train"),
        validation=lambda w: store(w.domain, "no_sub", "val"),
        mae=dump(CFG.anomaly.mae),
        symmetry=lambda w: symmetry(w.domain),
        setting=lambda w: setting(w, f"MAE {w.domain} seed {w.seed}"),
    script:
        "../workflow_scripts/train_mae.py"


rule score_anomalies:
    input:
        test=lambda w: manifests(w.domain, "test"),
        reference=lambda w: manifest(w.domain, "no_sub", "train"),
        weights=f"{MAE_RUN}/weights.safetensors",
    output:
        scores=[f"{MAE_RUN}/scores/{score}.csv" for score in CFG.anomaly.scores],
        examples=f"{MAE_RUN}/reconstructions.npz",
    log:
        "logs/score_anomalies/{domain}/seed{seed}.log",
    conda:
        "../envs/torch.yaml"
    threads: CFG.compute.threads
    resources:
        gpu=GPU,
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=120,
    params:
        test=lambda w: stores(w.domain, "test"),
        classes=CLASSES,
        scores=CFG.anomaly.scores,
        reference=lambda w: store(w.domain, "no_sub", "train"),
        scoring=scoring_params(),
        pixel_scale=lambda w: CFG.domain(w.domain).instrument.pixel_scale,
        setting=lambda w: setting(w, "score"),
    script:
        "../workflow_scripts/score_anomalies.py"


rule score_pca:
    input:
        train=lambda w: manifest(w.domain, "no_sub", "train"),
        test=lambda w: manifests(w.domain, "test"),
    output:
        residual="results/anomaly/{domain}/pca/scores/residual.csv",
        chi2="results/anomaly/{domain}/pca/scores/chi2.csv",
    log:
        "logs/score_pca/{domain}.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 6000 * attempt,
        runtime=60,
    params:
        train=lambda w: store(w.domain, "no_sub", "train"),
        test=lambda w: stores(w.domain, "test"),
        classes=CLASSES,
        pca=dump(CFG.anomaly.pca),
        setting=lambda w: setting(w, "PCA"),
    script:
        "../workflow_scripts/score_pca.py"


rule score_total_flux:
    input:
        test=lambda w: manifests(w.domain, "test"),
    output:
        scores="results/anomaly/{domain}/total_flux/scores/flux.csv",
    log:
        "logs/score_total_flux/{domain}.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=30,
    params:
        test=lambda w: stores(w.domain, "test"),
        classes=CLASSES,
        setting=lambda w: setting(w, "total flux"),
    script:
        "../workflow_scripts/score_total_flux.py"
