# Detectors beside the masked autoencoder: other autoencoders, trained on no_sub alone, and a smooth
# lens and source fitted to every image.


rule train_autoencoder:
    input:
        train=lambda w: data.manifest(w.domain, "no_sub", "train"),
        validation=lambda w: data.manifest(w.domain, "no_sub", "val"),
    output:
        **run_files(at.autoencoder_run),
    log:
        "<logs>/train_autoencoder/{domain}/{method}/seed{seed}.log",
    wildcard_constraints:
        method="|".join(get_args(AutoencoderMethod)),
    priority: 70
    conda:
        "../envs/torch.yaml"
    threads: CFG.compute.threads
    resources:
        **needs(8000, 720),
        gpu=GPU,
    params:
        train=lambda w: data.store(w.domain, "no_sub", "train"),
        validation=lambda w: data.store(w.domain, "no_sub", "val"),
        autoencoder=dump(CFG.anomaly.autoencoders.recipe),
        symmetry=lambda w: data.symmetry(w.domain),
        setting=lambda w: setting(w, f"{w.method} {w.domain} seed {w.seed}"),
    script:
        "../workflow_scripts/train_autoencoder.py"


rule score_autoencoder:
    input:
        scored=lambda w: anomaly.scored_manifests(w.domain),
        weights=f"{at.autoencoder_run}/weights.safetensors",
    output:
        **score_files(at.autoencoder_run, ["mse"]),
    log:
        "<logs>/score_autoencoder/{domain}/{method}/seed{seed}.log",
    wildcard_constraints:
        method="|".join(get_args(AutoencoderMethod)),
    conda:
        "../envs/torch.yaml"
    threads: CFG.compute.threads
    resources:
        **needs(4000, 120),
        gpu=GPU,
    params:
        scored=lambda w: anomaly.scored(w.domain, ["mse"]),
        autoencoder=dump(CFG.anomaly.autoencoders.recipe),
        setting=lambda w: setting(w, "score"),
    script:
        "../workflow_scripts/score_autoencoder.py"


rule fit_macro_model:
    input:
        train=lambda w: data.manifest(w.domain, "no_sub", "train"),
        fitted=anomaly.fitted_files,
    output:
        fits="<results>/anomaly/{domain}/macro_fit/fits/{part}.csv",
    log:
        "<logs>/fit_macro_model/{domain}/{part}.log",
    priority: 60
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        **needs(3000, 240),
    params:
        fitted=anomaly.fitted_store,
        train=lambda w: data.store(w.domain, "no_sub", "train"),
        spec=dump(CFG.anomaly.macro_fit.recipe),
        setting=lambda w: setting(w, f"fit {w.domain} {w.part}"),
    script:
        "../workflow_scripts/fit_macro_model.py"


rule score_macro_fit:
    input:
        test=[f"<results>/anomaly/{{domain}}/macro_fit/fits/{s}.csv" for s in CLASSES],
        proxies=[
            f"<results>/anomaly/{{domain}}/macro_fit/fits/{part}.csv"
            for part in ("validation", "proxy")
        ],
        scored=lambda w: anomaly.scored_manifests(w.domain),
    output:
        **anomaly.baseline_files("macro_fit"),
    log:
        "<logs>/score_macro_fit/{domain}.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        **needs(3000, 30),
    params:
        scored=lambda w: anomaly.scored_by("macro_fit", w.domain),
        setting=lambda w: setting(w, "fits"),
    script:
        "../workflow_scripts/score_macro_fit.py"
