# How much substructure and which axion: regression with a Gaussian likelihood.


rule train_regression:
    """A network that says how much substructure there is, or of which axion, with its error."""
    input:
        train=lambda w: data.seen_of(w.domain, w.substructure, "train"),
        validation=lambda w: data.seen_of(w.domain, w.substructure, "val"),
        classifier=regression.start,
    output:
        **run_files(at.regression_run),
    log:
        "<logs>/train_regression/{domain}/{substructure}/{encoder}/seed{seed}.log",
    priority: 50
    conda:
        "../envs/torch.yaml"
    threads: CFG.compute.threads
    resources:
        **needs(6000, 720),
        gpu=GPU,
    params:
        train=lambda w: data.store(w.domain, w.substructure, "train"),
        validation=lambda w: data.store(w.domain, w.substructure, "val"),
        encoder=lambda w: dump(CFG.encoders[w.encoder]),
        regression=dump(CFG.regression.recipe),
        target=regression.target,
        num_classes=len(CLASSES),
        symmetry=lambda w: data.symmetry(w.domain),
        setting=lambda w: setting(
            w, f"regression {w.domain} {w.substructure} {w.encoder} seed {w.seed}"
        ),
    script:
        "../workflow_scripts/train_regression.py"


rule predict_regression:
    """Mean and standard deviation of what a regression says of test images."""
    input:
        validation=lambda w: data.seen_of(w.domain, w.substructure, "val"),
        test=lambda w: data.seen_of(w.domain, w.substructure, "test"),
        weights=f"{at.regression_run}/weights.safetensors",
    output:
        predictions=f"{at.regression_run}/predictions.csv",
    log:
        "<logs>/predict_regression/{domain}/{substructure}/{encoder}/seed{seed}.log",
    conda:
        "../envs/torch.yaml"
    threads: CFG.compute.threads
    resources:
        **needs(4000, 60),
        gpu=GPU,
    params:
        validation=lambda w: data.store(w.domain, w.substructure, "val"),
        test=lambda w: data.store(w.domain, w.substructure, "test"),
        encoder=lambda w: dump(CFG.encoders[w.encoder]),
        target=regression.target,
        symmetry=lambda w: data.test_symmetry(w.domain),
        setting=lambda w: setting(w, "predict"),
    script:
        "../workflow_scripts/predict_regression.py"


rule regress_baselines:
    """Regression without a network, to stand beside it."""
    input:
        manifests=lambda w: [
            file for split in SPLITS for file in data.manifest(w.domain, w.substructure, split)
        ],
    output:
        **regression.baseline_files(),
    log:
        "<logs>/regress_baselines/{domain}/{substructure}.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        **needs(6000, 60),
    params:
        stores=lambda w: {split: data.store(w.domain, w.substructure, split) for split in SPLITS},
        target=regression.target,
        setting=lambda w: setting(w, "baselines of regression", IMAGE),
    script:
        "../workflow_scripts/regress_baselines.py"


use rule tabulate as tabulate_regression with:
    """Every regression and baseline: a table."""
    input:
        predictions=[row["path"] for row in regression.rows()],
        audits=data.audits(regression.rows(), "domain"),
    output:
        outputs=tabled("regression"),
    log:
        "<logs>/tabulate_regression.log",
    params:
        code=code("evaluation.regression.table"),
        made_by="evaluation.regression.table:tabulate_regression",
        runs=regression.rows(),
        evaluation=dump(CFG.evaluation),
        seed=SEED,


use rule plot as plot_regression with:
    """What regressions say against the truth."""
    input:
        files=lambda w: [row["path"] for row in regression.networks(w.domain)],
    output:
        output=pictured("regression/{domain}"),
    log:
        "<logs>/plot_regression/{domain}.log",
    params:
        code=code("figures.regression"),
        made_by="figures.regression:plot_regression",
        runs=lambda w: regression.networks(w.domain),
        title=lambda w: f"Regression, {CFG.labels[w.domain]}",
        figures=FIGURE_STYLE,


rule regression:
    """How much substructure, which axion: table and figures."""
    input:
        of_task("regression", results.regression()),
