# Every classifier on the test images of every domain: how far it carries without adaptation.


use rule predict_classifier as predict_transfer with:
    """A classifier's probabilities of another domain's test images."""
    input:
        test=lambda w: data.seen(w.target, "test"),
        weights=f"{at.classifier_run}/weights.safetensors",
    output:
        predictions=f"{at.transfer_run}/predictions.csv",
    log:
        "<logs>/predict_transfer/{domain}/{target}/{encoder}/seed{seed}.log",
    params:
        images=lambda w: data.stores(w.target, "test"),
        classes=CLASSES,
        encoder=lambda w: dump(CFG.encoders[w.encoder]),
        symmetry=lambda w: data.test_symmetry(w.target),
        setting=lambda w: setting(w, "predict"),


use rule predict_radial_profile as predict_radial_profile_transfer with:
    """Rings and moments, taken to another domain: probabilities."""
    input:
        train=lambda w: data.manifests(w.domain, "train"),
        test=lambda w: data.manifests(w.target, "test"),
    output:
        predictions=at.transfer_baseline,
    log:
        "<logs>/predict_radial_profile_transfer/{domain}/{target}.log",
    params:
        train=lambda w: data.stores(w.domain, "train"),
        test=lambda w: data.stores(w.target, "test"),
        classes=CLASSES,
        setting=lambda w: setting(w, "radial profile", IMAGE),


use rule tabulate as tabulate_transfer with:
    """Every classifier on every domain: a table."""
    input:
        predictions=[row["path"] for row in classification.transfer_rows()],
        audits=data.audits(classification.transfer_rows(), "domain", "target_domain"),
    output:
        outputs=tabled("transfer"),
    log:
        "<logs>/tabulate_transfer.log",
    params:
        code=code("evaluation.classification.table"),
        made_by="evaluation.classification.table:tabulate_classifiers",
        kind="transfer",
        runs=classification.transfer_rows(),
        evaluation=dump(CFG.evaluation),
        seed=SEED,


use rule plot as plot_transfer with:
    """Every classifier on every domain, as a matrix."""
    input:
        table=at.table_csv("transfer"),
    output:
        output=pictured("transfer"),
    log:
        "<logs>/plot_transfer.log",
    params:
        code=code("figures.transfer"),
        made_by="figures.transfer:plot_transfer",
        labels={name: CFG.labels[name] for name in CFG.domains},
        figures=FIGURE_STYLE,


rule transfer:
    """Every classifier on the test images of every domain: table and figure."""
    input:
        at.table("transfer"),
        at.figure("transfer"),
