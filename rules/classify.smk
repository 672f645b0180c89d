# Supervised classifiers and the baseline that they stand beside.


rule train_classifier:
    """A classifier of one encoder and seed, trained on one domain."""
    input:
        train=lambda w: data.seen(w.domain, "train"),
        validation=lambda w: data.seen(w.domain, "val"),
    output:
        **run_files(at.classifier_run),
    log:
        "<logs>/train_classifier/{domain}/{encoder}/seed{seed}.log",
    priority: 100
    conda:
        "../envs/torch.yaml"
    threads: TRAINING_THREADS
    resources:
        **needs(8000, 720),
        gpu=TRAINING_GPUS,
    params:
        train=lambda w: data.stores(w.domain, "train"),
        validation=lambda w: data.stores(w.domain, "val"),
        encoder=lambda w: dump(CFG.encoders[w.encoder]),
        classifier=dump(CFG.classifier.recipe),
        symmetry=lambda w: data.symmetry(w.domain),
        setting=lambda w: setting(w, f"classifier {w.domain} {w.encoder} seed {w.seed}"),
    script:
        "../workflow_scripts/train_classifier.py"


rule predict_classifier:
    """A classifier's probabilities of its domain's test images."""
    input:
        test=lambda w: data.seen(w.domain, "test"),
        weights=f"{at.classifier_run}/weights.safetensors",
    output:
        predictions=f"{at.classifier_run}/predictions.csv",
    log:
        "<logs>/predict_classifier/{domain}/{encoder}/seed{seed}.log",
    conda:
        "../envs/torch.yaml"
    threads: CFG.compute.threads
    resources:
        **needs(4000, 60),
        gpu=GPU,
    params:
        images=lambda w: data.stores(w.domain, "test"),
        classes=CLASSES,
        encoder=lambda w: dump(CFG.encoders[w.encoder]),
        symmetry=lambda w: data.test_symmetry(w.domain),
        setting=lambda w: setting(w, "predict"),
    script:
        "../workflow_scripts/predict.py"


use rule predict_classifier as predict_validation with:
    """A classifier's probabilities of its domain's validation images."""
    input:
        validation=lambda w: data.seen(w.domain, "val"),
        weights=f"{at.classifier_run}/weights.safetensors",
    output:
        predictions=f"{at.classifier_run}/validation.csv",
    log:
        "<logs>/predict_validation/{domain}/{encoder}/seed{seed}.log",
    params:
        images=lambda w: data.stores(w.domain, "val"),
        classes=CLASSES,
        encoder=lambda w: dump(CFG.encoders[w.encoder]),
        symmetry=lambda w: data.test_symmetry(w.domain),
        setting=lambda w: setting(w, "predict"),


rule calibrate_classifier:
    """A classifier's temperature, fitted on validation images."""
    input:
        validation=f"{at.classifier_run}/validation.csv",
    output:
        calibration=f"{at.classifier_run}/calibration.json",
    log:
        "<logs>/calibrate_classifier/{domain}/{encoder}/seed{seed}.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        **needs(2000, 30),
    params:
        code=code("evaluation.classification.calibration"),
    script:
        "../workflow_scripts/calibrate_classifier.py"


rule predict_radial_profile:
    """Probabilities of the baseline without a network: rings and moments of the image."""
    input:
        train=lambda w: data.manifests(w.domain, "train"),
        test=lambda w: data.manifests(w.domain, "test"),
    output:
        predictions=at.classification_baseline,
    log:
        "<logs>/predict_radial_profile/{domain}.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        **needs(6000, 60),
    params:
        train=lambda w: data.stores(w.domain, "train"),
        test=lambda w: data.stores(w.domain, "test"),
        classes=CLASSES,
        setting=lambda w: setting(w, "radial profile", IMAGE),
    script:
        "../workflow_scripts/predict_radial_profile.py"


rule predict_fit_statistics:
    """Probabilities of the baseline without a network: statistics of the smooth fit."""
    input:
        fits=lambda w: classification.fits_files(w.domain, "val", "test"),
        test=lambda w: data.manifests(w.domain, "test"),
    output:
        predictions=at.fit_statistics,
    log:
        "<logs>/predict_fit_statistics/{domain}.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        **needs(3000, 30),
    params:
        fits=lambda w: classification.fits_of(w.domain, "val"),
        test_fits=lambda w: classification.fits_of(w.domain, "test"),
        test=lambda w: data.stores(w.domain, "test"),
        classes=CLASSES,
        setting=lambda w: setting(w, "fit statistics", IMAGE),
    script:
        "../workflow_scripts/predict_fit_statistics.py"


use rule tabulate as tabulate_classification with:
    """Every classifier and baseline: a table."""
    input:
        predictions=classification.files(),
        audits=data.audits(classification.rows(), "domain"),
    output:
        outputs=tabled("classification"),
    log:
        "<logs>/tabulate_classification.log",
    params:
        code=code("evaluation.classification.table"),
        made_by="evaluation.classification.table:tabulate_classifiers",
        kind="classification",
        runs=classification.rows(),
        evaluation=dump(CFG.evaluation),
        seed=SEED,


use rule tabulate as tabulate_strength with:
    """AUC against the strength of the substructure: a table."""
    input:
        predictions=lambda w: [row["path"] for row in classification.rows(w.domain)],
        manifests=lambda w: data.manifests(w.domain, "test"),
    output:
        output=at.table_csv("strength_{domain}"),
    log:
        "<logs>/tabulate_strength/{domain}.log",
    params:
        code=code("evaluation.classification.strength"),
        made_by="evaluation.classification.strength:tabulate_strength",
        runs=lambda w: classification.rows(w.domain),
        stores=lambda w: {s: data.store(w.domain, s, "test") for s in CLASSES},
        evaluation=dump(CFG.evaluation),
        seed=SEED,


use rule tabulate as tabulate_reliability with:
    """Predicted probabilities against frequencies: a table."""
    input:
        predictions=lambda w: classification.files(w.domain),
    output:
        output=at.table_csv("reliability_{domain}"),
    log:
        "<logs>/tabulate_reliability/{domain}.log",
    params:
        code=code("evaluation.classification.calibration"),
        made_by="evaluation.classification.calibration:tabulate_reliability",
        runs=lambda w: classification.rows(w.domain),
        evaluation=dump(CFG.evaluation),
        seed=SEED,


use rule plot as plot_roc_classification with:
    """ROC curves of the classifiers of a domain."""
    input:
        files=lambda w: flat(classification.predictions(w.domain)),
    output:
        output=pictured("classification/roc_{domain}"),
    log:
        "<logs>/plot_roc_classification/{domain}.log",
    params:
        code=code("figures.roc"),
        made_by="figures.roc:plot_roc_classification",
        predictions=lambda w: classification.predictions(w.domain),
        title=lambda w: f"Classification, {CFG.labels[w.domain]}",
        figures=FIGURE_STYLE,


use rule plot as plot_confusion with:
    """Confusion matrices of the classifiers of a domain."""
    input:
        files=lambda w: flat(classification.predictions(w.domain)),
    output:
        output=pictured("classification/confusion_{domain}"),
    log:
        "<logs>/plot_confusion/{domain}.log",
    params:
        code=code("figures.confusion"),
        made_by="figures.confusion:plot_confusion",
        predictions=lambda w: classification.predictions(w.domain),
        title=lambda w: f"Classification, {CFG.labels[w.domain]}",
        figures=FIGURE_STYLE,


use rule plot as plot_history_classifier with:
    """Losses and accuracy of a classifier's training."""
    input:
        files=lambda w: flat(classification.histories(w.domain)),
    output:
        output=pictured("classification/history_{domain}"),
    log:
        "<logs>/plot_history_classifier/{domain}.log",
    params:
        code=code("figures.history"),
        made_by="figures.history:plot_history_classifier",
        histories=lambda w: classification.histories(w.domain),
        title=lambda w: f"Classifier training, {CFG.labels[w.domain]}",
        figures=FIGURE_STYLE,


use rule plot as plot_strength with:
    """AUC against the strength of the substructure."""
    input:
        table=at.table_csv("strength_{domain}"),
    output:
        output=pictured("classification/strength_{domain}"),
    log:
        "<logs>/plot_strength/{domain}.log",
    params:
        code=code("figures.summary"),
        made_by="figures.summary:plot_strength",
        title=lambda w: f"Strength of the substructure, {CFG.labels[w.domain]}",
        figures=FIGURE_STYLE,


use rule plot as plot_reliability with:
    """Predicted probabilities against frequencies."""
    input:
        table=at.table_csv("reliability_{domain}"),
    output:
        output=pictured("classification/reliability_{domain}"),
    log:
        "<logs>/plot_reliability/{domain}.log",
    params:
        code=code("figures.reliability"),
        made_by="figures.reliability:plot_reliability",
        title=lambda w: f"Reliability of probabilities, {CFG.labels[w.domain]}",
        figures=FIGURE_STYLE,
