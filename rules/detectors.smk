# Detectors beside the masked autoencoder: other autoencoders, trained on no_sub alone, and a smooth
# lens and source fitted to every image.


rule train_autoencoder:
    """An autoencoder (convolutional, variational, adversarial), trained on smooth lenses alone."""
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
        setting=lambda w: setting(w, f"{w.method} {w.domain} seed {w.seed}", IMAGE),
    script:
        "../workflow_scripts/train_autoencoder.py"


rule score_autoencoder:
    """Anomaly scores of an autoencoder."""
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
        setting=lambda w: setting(w, "score", IMAGE),
    script:
        "../workflow_scripts/score_autoencoder.py"


rule score_smooth_fit:
    """Anomaly scores of the smooth lens fit: what it leaves over."""
    input:
        fits=lambda w: anomaly.fits_files(w.domain),
        scored=lambda w: anomaly.scored_manifests(w.domain),
    output:
        **anomaly.baseline_files("smooth_fit"),
    log:
        "<logs>/score_smooth_fit/{domain}.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        **needs(3000, 30),
    params:
        fits=lambda w: anomaly.fits_of(w.domain),
        scored=lambda w: anomaly.scored_by("smooth_fit", w.domain),
        setting=lambda w: setting(w, "fits", IMAGE),
    script:
        "../workflow_scripts/score_fits.py"


use rule score_smooth_fit as score_potential_filter with:
    """Anomaly scores of the potential filter: evidence for more than a smooth lens."""
    output:
        **anomaly.baseline_files("potential_filter"),
    log:
        "<logs>/score_potential_filter/{domain}.log",
    params:
        fits=lambda w: anomaly.fits_of(w.domain),
        scored=lambda w: anomaly.scored_by("potential_filter", w.domain),
        setting=lambda w: setting(w, "fits", IMAGE),


rule measure_amplitudes:
    """How many proxies each amplitude of the potential finds."""
    input:
        smooth=lambda w: data.manifest(w.domain, "no_sub", "val"),
        proxies=lambda w: data.store_files(anomaly.proxies(w.domain)),
        reference="<results>/fits/{domain}/reference.npz",
    output:
        table=at.table_csv("amplitude_{domain}"),
    log:
        "<logs>/measure_amplitudes/{domain}.log",
    conda:
        "../envs/simulate.yaml"
    threads: 1
    resources:
        **needs(3000, 60),
    params:
        smooth=lambda w: data.store(w.domain, "no_sub", "val"),
        proxies=lambda w: anomaly.proxies(w.domain),
        fit=dump(CFG.fit),
    script:
        "../workflow_scripts/measure_amplitudes.py"


rule amplitude:
    """The potential's amplitude: how well each finds proxies, for fit.potential.amplitude."""
    input:
        expand(at.table_csv("amplitude_{domain}"), domain=CFG.anomaly.domains),
