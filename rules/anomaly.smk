# Substructure as an anomaly: masked autoencoders and baselines, trained on no_sub alone.
MAE_RUN = "results/anomaly/{domain}/mae/seed{seed}"


def anomaly_scores(domain):
    """Method -> scores of every seed."""
    folder = f"results/anomaly/{domain}"
    return {
        "mae": [f"{folder}/mae/seed{s}/scores.csv" for s in CFG.anomaly.seeds],
        "pca": [f"{folder}/pca/scores.csv"],
        "total_flux": [f"{folder}/total_flux/scores.csv"],
    }


rule train_mae:
    input:
        train=lambda w: manifest(w.domain, "no_sub", "train"),
        validation=lambda w: manifest(w.domain, "no_sub", "val"),
    output:
        **run_files(MAE_RUN),
    log:
        "logs/train_mae/{domain}/seed{seed}.log",
    params:
        train=lambda w: store(w.domain, "no_sub", "train"),
        validation=lambda w: store(w.domain, "no_sub", "val"),
        mae=dump(CFG.anomaly.mae),
        symmetry=lambda w: symmetry(w.domain),
        setting=lambda w: setting(w, f"MAE {w.domain} seed {w.seed}"),
    threads: CFG.compute.threads
    resources:
        gpu=GPU,
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=720,
    conda:
        ENVS + "/torch.yaml"
    script:
        "../workflow_scripts/train_mae.py"


rule score_anomalies:
    input:
        test=lambda w: manifests(w.domain, "test"),
        weights=MAE_RUN + "/weights.safetensors",
    output:
        scores=MAE_RUN + "/scores.csv",
        examples=MAE_RUN + "/reconstructions.npz",
    log:
        "logs/score_anomalies/{domain}/seed{seed}.log",
    params:
        test=lambda w: stores(w.domain, "test"),
        classes=CLASSES,
        mae=dump(CFG.anomaly.mae),
        n_masks=CFG.anomaly.n_masks,
        pixel_scale=lambda w: CFG.domain(w.domain).instrument.pixel_scale,
        setting=lambda w: setting(w, "score"),
    threads: CFG.compute.threads
    resources:
        gpu=GPU,
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=120,
    conda:
        ENVS + "/torch.yaml"
    script:
        "../workflow_scripts/score_anomalies.py"


rule score_pca:
    input:
        train=lambda w: manifest(w.domain, "no_sub", "train"),
        test=lambda w: manifests(w.domain, "test"),
    output:
        scores="results/anomaly/{domain}/pca/scores.csv",
    log:
        "logs/score_pca/{domain}.log",
    params:
        train=lambda w: store(w.domain, "no_sub", "train"),
        test=lambda w: stores(w.domain, "test"),
        classes=CLASSES,
        pca=dump(CFG.anomaly.pca),
        setting=lambda w: setting(w, "PCA"),
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 6000 * attempt,
        runtime=60,
    conda:
        ENVS + "/torch.yaml"
    script:
        "../workflow_scripts/score_pca.py"


rule score_total_flux:
    input:
        test=lambda w: manifests(w.domain, "test"),
    output:
        scores="results/anomaly/{domain}/total_flux/scores.csv",
    log:
        "logs/score_total_flux/{domain}.log",
    params:
        test=lambda w: stores(w.domain, "test"),
        classes=CLASSES,
        setting=lambda w: setting(w, "total flux"),
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=30,
    conda:
        ENVS + "/torch.yaml"
    script:
        "../workflow_scripts/score_total_flux.py"
