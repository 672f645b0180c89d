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
        runtime=lambda wildcards, attempt: 720 * attempt,
    params:
        train=lambda w: store(w.domain, "no_sub", "train"),
        validation=lambda w: store(w.domain, "no_sub", "val"),
        mae=dump(CFG.anomaly.mae),
        n_train=None,
        symmetry=lambda w: symmetry(w.domain),
        setting=lambda w: setting(w, f"MAE {w.domain} seed {w.seed}"),
    script:
        "../workflow_scripts/train_mae.py"


rule make_proxies:
    input:
        manifest=lambda w: manifest(w.domain, "no_sub", "val"),
    output:
        **packed(PROXIES),
        manifest=PROXY_MANIFEST,
    log:
        "logs/make_proxies/{domain}.log",
    priority: 80
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        store=lambda w: store(w.domain, "no_sub", "val"),
        proxies=PROXIES,
        spec=dump(CFG.anomaly.proxies),
        seed=SEED,
    script:
        "../workflow_scripts/make_proxies.py"


rule score_anomalies:
    input:
        scored=lambda w: scored_manifests(w.domain),
        reference=lambda w: manifest(w.domain, "no_sub", "train"),
        weights=f"{MAE_RUN}/weights.safetensors",
    output:
        **score_files(MAE_RUN, CFG.anomaly.scores),
        examples=f"{MAE_RUN}/reconstructions.npz",
    log:
        "logs/score_anomalies/{domain}/seed{seed}.log",
    conda:
        "../envs/torch.yaml"
    threads: CFG.compute.threads
    resources:
        gpu=GPU,
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 120 * attempt,
    params:
        scored=lambda w: scored(w.domain, CFG.anomaly.scores),
        reference=lambda w: store(w.domain, "no_sub", "train"),
        scoring=scoring_params(),
        pixel_scale=lambda w: CFG.domain(w.domain).instrument.pixel_scale,
        setting=lambda w: setting(w, "score"),
    script:
        "../workflow_scripts/score_anomalies.py"


rule score_pca:
    input:
        train=lambda w: manifest(w.domain, "no_sub", "train"),
        scored=lambda w: scored_manifests(w.domain),
    output:
        **score_files("results/anomaly/{domain}/pca", ANOMALY_BASELINES["pca"]),
    log:
        "logs/score_pca/{domain}.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 6000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        train=lambda w: store(w.domain, "no_sub", "train"),
        scored=lambda w: scored(w.domain, ANOMALY_BASELINES["pca"]),
        pca=dump(CFG.anomaly.pca),
        setting=lambda w: setting(w, "PCA"),
    script:
        "../workflow_scripts/score_pca.py"


rule score_supervised:
    input:
        predictions=lambda w: supervised_predictions(w),
        test=lambda w: manifests(w.domain, "test"),
    output:
        scores="results/anomaly/{domain}/supervised/seed{seed}/scores/probability.csv",
    log:
        "logs/score_supervised/{domain}/seed{seed}.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        test=lambda w: stores(w.domain, "test"),
        classes=CLASSES,
        setting=lambda w: setting(w, "supervised"),
    script:
        "../workflow_scripts/score_supervised.py"


rule score_total_flux:
    input:
        scored=lambda w: scored_manifests(w.domain),
    output:
        **score_files("results/anomaly/{domain}/total_flux", ANOMALY_BASELINES["total_flux"]),
    log:
        "logs/score_total_flux/{domain}.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        scored=lambda w: scored(w.domain, ANOMALY_BASELINES["total_flux"]),
        setting=lambda w: setting(w, "total flux"),
    script:
        "../workflow_scripts/score_total_flux.py"
