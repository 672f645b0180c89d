# Where a classifier looks, beside where the substructure is.


rule render_attribution_truth:
    """The true convergence of the test images that attribution maps are made of."""
    input:
        manifests=lambda w: data.manifests(w.domain, "test"),
    output:
        truth="<results>/attribution/{domain}/truth.npz",
        baselines="<results>/attribution/{domain}/baselines.csv",
    log:
        "<logs>/render_attribution_truth/{domain}.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        **needs(4000, 60),
    params:
        code=code("evaluation.attribution.truth", "simulate.convergence"),
        stores=lambda w: data.stores(w.domain, "test"),
        classes=CLASSES,
        n_images=CFG.attribution.n_images,
        network_input=IMAGE_INPUT,
    script:
        "../workflow_scripts/render_attribution_truth.py"


rule map_classifier:
    """Attribution maps of a classifier with their scores, and examples."""
    input:
        test=lambda w: data.seen(w.domain, "test"),
        truth="<results>/attribution/{domain}/truth.npz",
        weights=f"{at.classifier_run}/weights.safetensors",
        predictions=f"{at.classifier_run}/predictions.csv",
    output:
        scores=f"{at.maps_run}/scores.csv",
        examples=f"{at.maps_run}/examples.npz",
    log:
        "<logs>/map_classifier/{domain}/{encoder}/seed{seed}.log",
    conda:
        "../envs/torch.yaml"
    threads: CFG.compute.threads
    resources:
        **needs(4000, 120),
        gpu=GPU,
    params:
        code=code("evaluation.attribution.maps", "models.attribution"),
        test=lambda w: data.stores(w.domain, "test"),
        classes=CLASSES,
        encoder=lambda w: dump(CFG.encoders[w.encoder]),
        maps=dump(CFG.attribution.maps),
        symmetry=lambda w: data.test_symmetry(w.domain),
        setting=lambda w: setting(w, "attribution"),
    script:
        "../workflow_scripts/map_classifier.py"


use rule tabulate as tabulate_attribution with:
    """How well attribution maps fall on the substructure: a table."""
    input:
        scores=[row["path"] for row in attribution.rows()],
        audits=data.audits(attribution.rows(), "domain"),
    output:
        outputs=tabled("attribution"),
    log:
        "<logs>/tabulate_attribution.log",
    params:
        code=code("evaluation.attribution.table"),
        made_by="evaluation.attribution.table:tabulate_attribution",
        runs=attribution.rows(),
        evaluation=dump(CFG.evaluation),
        seed=SEED,


use rule plot as plot_attribution with:
    """Attribution maps beside the true convergence."""
    input:
        examples=attribution.examples,
    output:
        output=pictured("attribution/{domain}_{encoder}"),
    log:
        "<logs>/plot_attribution/{domain}/{encoder}.log",
    params:
        code=code("figures.attribution"),
        made_by="figures.attribution:plot_attribution",
        title=lambda w: f"Attribution maps, {CFG.labels[w.domain]}",
        encoder=lambda w: w.encoder,
        figures=FIGURE_STYLE,


rule attribution:
    """Where classifiers look, beside where the substructure is: table and figures."""
    input:
        attribution.results(),
