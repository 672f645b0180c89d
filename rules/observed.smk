# Observed cut-outs, scored by the networks of a domain: snakemake observed --cores 2.


rule score_observed:
    input:
        files=observed_files(),
        train=manifests(OBSERVED_DOMAIN, "train"),
        validation=manifests(OBSERVED_DOMAIN, "val"),
        classifiers=[f"{run}/weights.safetensors" for run in observed_classifiers()],
        calibrations=[f"{run}/calibration.json" for run in observed_classifiers()],
        detectors=observed_detectors(),
    output:
        table("observed"),
        examples="results/observed/examples.npz",
    log:
        "logs/score_observed.log",
    conda:
        "../envs/torch.yaml"
    threads: CFG.compute.threads
    resources:
        gpu=GPU,
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        lenses={name: dump(lens) for name, lens in CFG.observed.lenses.items()},
        train=stores(OBSERVED_DOMAIN, "train"),
        validation=stores(OBSERVED_DOMAIN, "val"),
        classes=CLASSES,
        encoder=dump(CFG.encoders[CFG.classifier.encoders[0]]),
        symmetry=test_symmetry(OBSERVED_DOMAIN),
        scoring=scoring_params(),
        score=CFG.anomaly.scores[0],
        grid={
            "num_pix": CFG.network_input.img_size(CFG.domain(OBSERVED_DOMAIN).num_pix),
            "pixel_scale": CFG.domain(OBSERVED_DOMAIN).instrument.pixel_scale,
            "psf_fwhm": CFG.domain(OBSERVED_DOMAIN).instrument.psf_fwhm,
        },
        n_reference=CFG.observed.n_reference,
        setting=lambda w: setting(w, "observed"),
    script:
        "../workflow_scripts/score_observed.py"


rule plot_observed:
    input:
        examples="results/observed/examples.npz",
        source=source("figures/observed.py", "figures/style.py"),
    output:
        figure("observed"),
    log:
        "logs/plot_observed.log",
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        classes=CLASSES,
        title=f"Observed lenses, networks of {OBSERVED_DOMAIN}",
        figures=FIGURE_PARAMS,
    script:
        "../workflow_scripts/plot_observed.py"
