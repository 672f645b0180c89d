# Substructure as an anomaly: masked autoencoders trained on no_sub alone, and what they stand beside.


rule make_proxies:
    """Smooth lenses of the validation split, distorted, as substructure that anyone may see."""
    input:
        manifest=lambda w: data.manifest(w.domain, "no_sub", "val"),
    output:
        **data.sealed(at.proxies),
    log:
        "<logs>/make_proxies/{domain}.log",
    priority: 80
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        **needs(2000, 30),
    params:
        store=lambda w: data.store(w.domain, "no_sub", "val"),
        proxies=at.proxies,
        spec=dump(CFG.anomaly.proxies),
        seed=SEED,
    script:
        "../workflow_scripts/make_proxies.py"


rule train_mae:
    """A masked autoencoder, trained on smooth lenses alone."""
    input:
        train=lambda w: data.manifest(w.domain, "no_sub", "train"),
        validation=lambda w: data.manifest(w.domain, "no_sub", "val"),
    output:
        **run_files(at.mae_run),
    log:
        "<logs>/train_mae/{domain}/seed{seed}.log",
    priority: 70
    conda:
        "../envs/torch.yaml"
    threads: TRAINING_THREADS
    resources:
        **needs(8000, 720),
        gpu=TRAINING_GPUS,
    params:
        train=lambda w: data.store(w.domain, "no_sub", "train"),
        validation=lambda w: data.store(w.domain, "no_sub", "val"),
        mae=dump(CFG.anomaly.mae),
        n_train=None,
        symmetry=lambda w: data.symmetry(w.domain),
        setting=lambda w: setting(w, f"MAE {w.domain} seed {w.seed}", IMAGE),
    script:
        "../workflow_scripts/train_mae.py"


rule score_anomalies:
    """Anomaly scores of a masked autoencoder, and examples of what it reconstructs."""
    input:
        scored=lambda w: anomaly.scored_manifests(w.domain),
        reference=lambda w: data.manifest(w.domain, "no_sub", "train"),
        weights=f"{at.mae_run}/weights.safetensors",
    output:
        **score_files(at.mae_run, CFG.anomaly.scores),
        examples=f"{at.mae_run}/reconstructions.npz",
    log:
        "<logs>/score_anomalies/{domain}/seed{seed}.log",
    conda:
        "../envs/torch.yaml"
    threads: CFG.compute.threads
    resources:
        **needs(4000, 120),
        gpu=GPU,
    params:
        scored=lambda w: anomaly.scored(w.domain, CFG.anomaly.scores),
        reference=lambda w: data.store(w.domain, "no_sub", "train"),
        scoring=dump(CFG.anomaly.scoring),
        pixel_scale=lambda w: data.pixel_scale(w.domain),
        setting=lambda w: setting(w, "score", IMAGE),
    script:
        "../workflow_scripts/score_anomalies.py"


rule score_pca:
    """Anomaly scores of the baseline: the residual after projection on principal components."""
    input:
        train=lambda w: data.manifest(w.domain, "no_sub", "train"),
        scored=lambda w: anomaly.scored_manifests(w.domain),
    output:
        **anomaly.baseline_files("pca"),
    log:
        "<logs>/score_pca/{domain}.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        **needs(6000, 60),
    params:
        train=lambda w: data.store(w.domain, "no_sub", "train"),
        scored=lambda w: anomaly.scored_by("pca", w.domain),
        pca=dump(CFG.anomaly.pca),
        setting=lambda w: setting(w, "PCA", IMAGE),
    script:
        "../workflow_scripts/score_pca.py"


rule score_total_flux:
    """Anomaly scores of the baseline: brightness."""
    input:
        scored=lambda w: anomaly.scored_manifests(w.domain),
    output:
        **anomaly.baseline_files("total_flux"),
    log:
        "<logs>/score_total_flux/{domain}.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        **needs(4000, 30),
    params:
        scored=lambda w: anomaly.scored_by("total_flux", w.domain),
        setting=lambda w: setting(w, "total flux", IMAGE),
    script:
        "../workflow_scripts/score_total_flux.py"


rule score_supervised:
    """The ceiling of anomaly detection: a labelled classifier's probability of substructure."""
    input:
        predictions=anomaly.supervised_predictions,
        test=lambda w: data.manifests(w.domain, "test"),
    output:
        scores="<results>/anomaly/{domain}/supervised/seed{seed}/scores/probability.csv",
    log:
        "<logs>/score_supervised/{domain}/seed{seed}.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        **needs(4000, 30),
    params:
        test=lambda w: data.stores(w.domain, "test"),
        classes=CLASSES,
        setting=lambda w: setting(w, "supervised", IMAGE),
    script:
        "../workflow_scripts/score_supervised.py"


rule render_convergence:
    """The true convergence of the substructure in a few test images."""
    input:
        manifests=lambda w: data.manifests(w.domain, "test"),
    output:
        truth="<results>/convergence/{domain}.npz",
    log:
        "<logs>/render_convergence/{domain}.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        **needs(2000, 30),
    params:
        stores=lambda w: data.stores(w.domain, "test"),
        classes=CLASSES,
        img_size=lambda w: data.img_size(w.domain),
    script:
        "../workflow_scripts/render_convergence.py"


use rule tabulate as tabulate_anomaly with:
    """Every detector of anomalies: a table."""
    input:
        scores=[row["path"] for row in anomaly.rows()],
        proxies=[row["proxies"] for row in anomaly.rows() if row["proxies"]],
        audits=data.audits(anomaly.rows(), "domain"),
    output:
        outputs=tabled("anomaly"),
    log:
        "<logs>/tabulate_anomaly.log",
    params:
        code=code("evaluation.anomaly.table"),
        made_by="evaluation.anomaly.table:tabulate_anomaly",
        kind="anomaly",
        runs=anomaly.rows(),
        evaluation=dump(CFG.evaluation),
        seed=SEED,


use rule tabulate as tabulate_anomaly_strength with:
    """AUC of detectors against the strength of the substructure: a table."""
    input:
        scores=lambda w: flat(anomaly.headline_scores(w.domain)),
        manifests=lambda w: data.manifests(w.domain, "test"),
    output:
        output=at.table_csv("anomaly_strength_{domain}"),
    log:
        "<logs>/tabulate_anomaly_strength/{domain}.log",
    params:
        code=code("evaluation.classification.strength"),
        made_by="evaluation.classification.strength:tabulate_strength",
        runs=lambda w: anomaly.strength_rows(w.domain),
        stores=lambda w: {s: data.store(w.domain, s, "test") for s in CLASSES},
        evaluation=dump(CFG.evaluation),
        seed=SEED,


use rule plot as plot_anomaly_strength with:
    """AUC of detectors against the strength of the substructure."""
    input:
        table=at.table_csv("anomaly_strength_{domain}"),
    output:
        output=pictured("anomaly/strength_{domain}"),
    log:
        "<logs>/plot_anomaly_strength/{domain}.log",
    params:
        code=code("figures.summary"),
        made_by="figures.summary:plot_strength",
        title=lambda w: f"Anomaly detection by strength of the substructure, {CFG.labels[w.domain]}",
        figures=FIGURE_STYLE,


use rule plot as plot_roc_anomaly with:
    """ROC curves of the detectors of anomalies."""
    input:
        files=lambda w: flat(anomaly.headline_scores(w.domain)),
    output:
        output=pictured("anomaly/roc_{domain}"),
    log:
        "<logs>/plot_roc_anomaly/{domain}.log",
    params:
        code=code("figures.roc"),
        made_by="figures.roc:plot_roc_anomaly",
        scores=lambda w: anomaly.headline_scores(w.domain),
        title=lambda w: f"Anomaly detection, {CFG.labels[w.domain]}",
        figures=FIGURE_STYLE,


use rule plot as plot_score_distributions with:
    """How the scores of every class are distributed."""
    input:
        files=lambda w: flat(anomaly.headline_scores(w.domain)),
    output:
        output=pictured("anomaly/scores_{domain}"),
    log:
        "<logs>/plot_score_distributions/{domain}.log",
    params:
        code=code("figures.scores"),
        made_by="figures.scores:plot_score_distributions",
        scores=lambda w: anomaly.headline_scores(w.domain),
        title=lambda w: f"Anomaly scores, {CFG.labels[w.domain]}",
        figures=FIGURE_STYLE,


use rule plot as plot_history_mae with:
    """Losses of the masked autoencoders of a domain."""
    input:
        histories=lambda w: anomaly.mae_files(w.domain, "history.csv"),
    output:
        output=pictured("anomaly/history_{domain}"),
    log:
        "<logs>/plot_history_mae/{domain}.log",
    params:
        code=code("figures.history"),
        made_by="figures.history:plot_history_mae",
        title=lambda w: f"Masked autoencoder, {CFG.labels[w.domain]}",
        figures=FIGURE_STYLE,


use rule plot as plot_anomaly_summary with:
    """AUC of every detector with intervals."""
    input:
        table=at.table_csv("anomaly"),
    output:
        output=pictured("anomaly/summary_{domain}"),
    log:
        "<logs>/plot_anomaly_summary/{domain}.log",
    params:
        code=code("figures.summary"),
        made_by="figures.summary:plot_anomaly_summary",
        domain=lambda w: w.domain,
        title=lambda w: f"AUC against no substructure, {CFG.labels[w.domain]}",
        figures=FIGURE_STYLE,


use rule plot as plot_reconstructions with:
    """Images, what a masked autoencoder makes of them, and where they differ."""
    input:
        examples=lambda w: anomaly.mae_files(w.domain, "reconstructions.npz")[0],
        truth="<results>/convergence/{domain}.npz",
    output:
        output=pictured("anomaly/reconstructions_{domain}"),
    log:
        "<logs>/plot_reconstructions/{domain}.log",
    params:
        code=code("figures.reconstruction"),
        made_by="figures.reconstruction:plot_reconstructions",
        title=lambda w: f"Masked autoencoder, {CFG.labels[w.domain]}",
        figures=FIGURE_STYLE,


rule collect_found:
    """Test images with their fits and true convergence, to be drawn."""
    input:
        fits=lambda w: anomaly.fits_files(w.domain),
        test=lambda w: data.manifests(w.domain, "test"),
    output:
        examples="<results>/anomaly/{domain}/potential_filter/examples.npz",
    log:
        "<logs>/collect_found/{domain}.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        **needs(2000, 30),
    params:
        stores=lambda w: data.stores(w.domain, "test"),
        fits=lambda w: anomaly.fits_of(w.domain)["test"],
        classes=CLASSES,
        n_examples=2,
    script:
        "../workflow_scripts/collect_found.py"


use rule plot as plot_found with:
    """Test images, what the fit leaves over, and the substructure that was found and is there."""
    input:
        examples="<results>/anomaly/{domain}/potential_filter/examples.npz",
    output:
        output=pictured("anomaly/found_{domain}"),
    log:
        "<logs>/plot_found/{domain}.log",
    params:
        code=code("figures.found"),
        made_by="figures.found:plot_found",
        title=lambda w: f"What is there and what was found, {CFG.labels[w.domain]}",
        figures=FIGURE_STYLE,


rule anomaly:
    """Substructure found without labels, by every detector: table and figures."""
    input:
        of_task("anomaly", results.anomaly()),
