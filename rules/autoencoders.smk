# Convolutional, variational and adversarial autoencoders, trained on no_sub alone.


rule train_autoencoder:
    input:
        train=lambda w: manifest(w.domain, "no_sub", "train"),
        validation=lambda w: manifest(w.domain, "no_sub", "val"),
    output:
        **run_files(AUTOENCODER_RUN),
    log:
        "logs/train_autoencoder/{domain}/{method}/seed{seed}.log",
    wildcard_constraints:
        method="|".join(AUTOENCODERS),
    priority: 70
    conda:
        "../envs/torch.yaml"
    threads: CFG.compute.threads
    resources:
        gpu=GPU,
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=lambda wildcards, attempt: 720 * attempt,
    params:
        train=lambda w: store(w.domain, "no_sub", "train"),
        validation=lambda w: store(w.domain, "no_sub", "val"),
        autoencoder=dump(CFG.anomaly.autoencoders.recipe),
        symmetry=lambda w: symmetry(w.domain),
        setting=lambda w: setting(w, f"{w.method} {w.domain} seed {w.seed}"),
    script:
        "../workflow_scripts/train_autoencoder.py"


rule score_autoencoder:
    input:
        scored=lambda w: scored_manifests(w.domain),
        weights=f"{AUTOENCODER_RUN}/weights.safetensors",
    output:
        **score_files(AUTOENCODER_RUN, ["mse"]),
    log:
        "logs/score_autoencoder/{domain}/{method}/seed{seed}.log",
    wildcard_constraints:
        method="|".join(AUTOENCODERS),
    conda:
        "../envs/torch.yaml"
    threads: CFG.compute.threads
    resources:
        gpu=GPU,
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 120 * attempt,
    params:
        scored=lambda w: scored(w.domain, ["mse"]),
        autoencoder=dump(CFG.anomaly.autoencoders.recipe),
        setting=lambda w: setting(w, "score"),
    script:
        "../workflow_scripts/score_autoencoder.py"
