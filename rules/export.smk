# Classifiers as ONNX files that need neither torch nor lensml.


rule export_classifier:
    """A classifier as an ONNX file with its description."""
    input:
        test=lambda w: data.seen(w.domain, "test"),
        weights=f"{at.classifier_run}/weights.safetensors",
        calibration=f"{at.classifier_run}/calibration.json",
    output:
        network=f"{at.export}.onnx",
        description=f"{at.export}.json",
    log:
        "<logs>/export_classifier/{domain}/{encoder}/seed{seed}.log",
    conda:
        "../envs/export.yaml"
    threads: CFG.compute.threads
    resources:
        **needs(4000, 60),
    params:
        code=code("evaluation.classification.export", "models.export"),
        test=lambda w: data.stores(w.domain, "test"),
        classes=CLASSES,
        encoder=lambda w: dump(CFG.encoders[w.encoder]),
        symmetry=lambda w: data.test_symmetry(w.domain),
        pixel_scale=lambda w: data.pixel_scale(w.domain),
        judged_by=lambda w: data.judged_by(w.domain),
        setting=lambda w: setting(w, "export"),
    script:
        "../workflow_scripts/export_classifier.py"


rule export:
    """Classifiers as ONNX files that need neither lensml nor torch, with descriptions."""
    input:
        classification.exports(),
