# Studies of the masked autoencoder: with one setting changed at a time, and as the start of a
# classifier on a share of the labels. No other target asks for them.


use rule train_mae as train_swept with:
    """A masked autoencoder with one setting changed."""
    input:
        train=data.manifest(sweep.domain, "no_sub", "train"),
        validation=data.manifest(sweep.domain, "no_sub", "val"),
    output:
        **run_files(at.swept_run),
    log:
        "<logs>/train_swept/{variant}/seed{seed}.log",
    priority: 50
    params:
        train=data.store(sweep.domain, "no_sub", "train"),
        validation=data.store(sweep.domain, "no_sub", "val"),
        mae=lambda w: dump(sweep.scoring(w).mae),
        n_train=sweep.n_train,
        symmetry=data.symmetry(sweep.domain),
        setting=lambda w: setting(w, f"MAE {w.variant} seed {w.seed}", IMAGE),


use rule score_anomalies as score_swept with:
    """Anomaly scores of a masked autoencoder with one setting changed."""
    input:
        scored=anomaly.scored_manifests(sweep.domain),
        reference=data.manifest(sweep.domain, "no_sub", "train"),
        weights=sweep.weights,
    output:
        **score_files(at.swept_run, CFG.sweep.scores),
        examples=f"{at.swept_run}/reconstructions.npz",
    log:
        "<logs>/score_swept/{variant}/seed{seed}.log",
    params:
        scored=anomaly.scored(sweep.domain, CFG.sweep.scores),
        reference=data.store(sweep.domain, "no_sub", "train"),
        scoring=lambda w: dump(sweep.scoring(w)),
        pixel_scale=data.pixel_scale(sweep.domain),
        setting=lambda w: setting(w, "score", IMAGE),


use rule tabulate as tabulate_sweep with:
    """Settings of the masked autoencoder, one at a time: a table."""
    input:
        scores=[row["path"] for row in sweep.rows()],
        proxies=[row["proxies"] for row in sweep.rows()],
        audits=data.audits(sweep.rows(), "domain"),
    output:
        outputs=tabled("sweep"),
    log:
        "<logs>/tabulate_sweep.log",
    params:
        code=code("evaluation.anomaly.table"),
        made_by="evaluation.anomaly.table:tabulate_anomaly",
        kind="sweep",
        runs=sweep.rows(),
        evaluation=dump(CFG.evaluation),
        seed=SEED,


use rule plot as plot_sweep with:
    """AUC against the settings of the masked autoencoder."""
    input:
        table=at.table_csv("sweep"),
    output:
        output=pictured("sweep"),
    log:
        "<logs>/plot_sweep.log",
    params:
        code=code("figures.sweep"),
        made_by="figures.sweep:plot_sweep",
        title=f"Masked autoencoder, one setting at a time, {CFG.labels[sweep.domain]}",
        shipped=sweep.shipped(),
        figures=FIGURE_STYLE,


rule sweep:
    """Settings of the masked autoencoder, one at a time: table and figure."""
    input:
        refusing(sweep.results),


use rule train_variant as train_started with:
    """A classifier on a share of the labels, begun from a masked autoencoder or from nothing."""
    input:
        train=data.seen(pretraining.domain, "train"),
        validation=data.seen(pretraining.domain, "val"),
        sizes=[],
        mae=pretraining.start,
    output:
        **run_files(at.started_run),
        validation_predictions=f"{at.started_run}/validation.csv",
    log:
        "<logs>/train_started/{start}/{fraction}/seed{seed}.log",
    wildcard_constraints:
        start="pretrained|scratch|shipped",
    params:
        train=data.stores(pretraining.domain, "train"),
        validation=data.stores(pretraining.domain, "val"),
        classes=CLASSES,
        recipe=pretraining.recipe,
        n_train=pretraining.labelled("train"),
        n_validation=pretraining.labelled("val"),
        steps=pretraining.steps(),
        redraw_noise=False,
        symmetry=data.symmetry(pretraining.domain),
        setting=lambda w: setting(w, f"{w.start} {w.fraction} seed {w.seed}", IMAGE),


use rule predict_variant as predict_started with:
    """Probabilities of a classifier that was trained on a share of the labels."""
    input:
        test=data.seen(pretraining.domain, "test"),
        weights=f"{at.started_run}/weights.safetensors",
    output:
        predictions=f"{at.started_run}/predictions.csv",
    log:
        "<logs>/predict_started/{start}/{fraction}/seed{seed}.log",
    wildcard_constraints:
        start="pretrained|scratch|shipped",
    params:
        images=data.stores(pretraining.domain, "test"),
        classes=CLASSES,
        encoder=lambda w: pretraining.recipe(w)["encoder"],
        symmetry=data.test_symmetry(pretraining.domain),
        setting=lambda w: setting(w, "predict", IMAGE),


rule probe_mae:
    """Probabilities by a logistic regression on what a masked autoencoder makes of images."""
    input:
        train=data.manifests(pretraining.domain, "train"),
        validation=data.manifests(pretraining.domain, "val"),
        test=data.manifests(pretraining.domain, "test"),
        weights=pretraining.mae,
    output:
        predictions="<results>/pretraining/linear_probe/{fraction}/seed{seed}/predictions.csv",
    log:
        "<logs>/probe_mae/{fraction}/seed{seed}.log",
    conda:
        "../envs/torch.yaml"
    threads: CFG.compute.threads
    resources:
        **needs(4000, 60),
        gpu=GPU,
    params:
        train=data.stores(pretraining.domain, "train"),
        validation=data.stores(pretraining.domain, "val"),
        test=data.stores(pretraining.domain, "test"),
        classes=CLASSES,
        mae=dump(CFG.anomaly.mae),
        n_train=pretraining.labelled("train"),
        n_validation=pretraining.labelled("val"),
        candidates=CFG.pretraining.probe_C,
        setting=lambda w: setting(w, "linear probe", IMAGE),
    script:
        "../workflow_scripts/probe_mae.py"


use rule tabulate as tabulate_pretraining with:
    """Masked autoencoders as the start of classifiers: a table."""
    input:
        predictions=[row["path"] for row in pretraining.rows()],
        audits=data.audits(pretraining.rows(), "domain"),
    output:
        outputs=tabled("pretraining"),
    log:
        "<logs>/tabulate_pretraining.log",
    params:
        code=code("evaluation.classification.table"),
        made_by="evaluation.classification.table:tabulate_classifiers",
        kind="pretraining",
        runs=pretraining.rows(),
        evaluation=dump(CFG.evaluation),
        seed=SEED,


use rule plot as plot_pretraining with:
    """AUC against the share of labels, with and without pretraining."""
    input:
        table=at.table_csv("pretraining"),
    output:
        output=pictured("pretraining"),
    log:
        "<logs>/plot_pretraining.log",
    params:
        code=code("figures.pretraining"),
        made_by="figures.pretraining:plot_pretraining",
        title=f"Masked autoencoder as a start, {CFG.labels[pretraining.domain]}",
        figures=FIGURE_STYLE,


rule pretraining:
    """The masked autoencoder as the start of a classifier: table and figure."""
    input:
        of_study("pretraining", pretraining.results),
