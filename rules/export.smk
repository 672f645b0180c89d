# Classifiers as ONNX files that need neither torch nor lensml: snakemake export --cores 2.


rule export_classifier:
    input:
        test=lambda w: manifests(w.domain, "test"),
        weights=f"{CLASSIFIER_RUN}/weights.safetensors",
        calibration=f"{CLASSIFIER_RUN}/calibration.json",
        source=source("models/export.py", "evaluation/classification/export.py"),
    output:
        network="results/export/{domain}/{encoder}/seed{seed}/classifier.onnx",
        description="results/export/{domain}/{encoder}/seed{seed}/classifier.json",
    log:
        "logs/export_classifier/{domain}/{encoder}/seed{seed}.log",
    conda:
        "../envs/export.yaml"
    threads: CFG.compute.threads
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        test=lambda w: stores(w.domain, "test"),
        classes=CLASSES,
        encoder=lambda w: dump(CFG.encoders[w.encoder]),
        symmetry=lambda w: test_symmetry(w.domain),
        pixel_scale=lambda w: CFG.domain(w.domain).instrument.pixel_scale,
        setting=lambda w: setting(w, "export"),
    script:
        "../workflow_scripts/export_classifier.py"
