# Observed cut-outs, scored by the networks of a domain: snakemake observed --cores 2.


rule score_observed:
    """Observed cut-outs, scored by networks and judged by whether they are like the domain's."""
    input:
        files=observed.files(),
        train=data.seen(observed.domain, "train"),
        validation=data.seen(observed.domain, "val"),
        classifiers=observed.classifiers(),
        calibrations=observed.calibrations(),
        detectors=observed.detectors(),
    output:
        outputs=tabled("observed"),
        examples="<results>/observed/examples.npz",
    log:
        "<logs>/score_observed.log",
    conda:
        "../envs/torch.yaml"
    threads: CFG.compute.threads
    resources:
        **needs(4000, 60),
        gpu=GPU,
    params:
        lenses={name: dump(lens) for name, lens in CFG.observed.lenses.items()},
        train=data.stores(observed.domain, "train"),
        validation=data.stores(observed.domain, "val"),
        classes=CLASSES,
        encoder=dump(CFG.encoders[CFG.classifier.encoders[0]]),
        symmetry=data.test_symmetry(observed.domain),
        scoring=dump(CFG.anomaly.scoring),
        score=CFG.anomaly.scores[0],
        grid=observed.grid(),
        domain=observed.judged(),
        fit=dump(CFG.fit),
        verdicts=str(Path(CFG.results) / "verdict"),
        seed=SEED,
        n_reference=CFG.observed.n_reference,
        setting=lambda w: setting(w, "observed"),
    script:
        "../workflow_scripts/score_observed.py"


use rule plot as plot_observed with:
    """Observed cut-outs with what networks say of them."""
    input:
        examples="<results>/observed/examples.npz",
    output:
        output=pictured("observed"),
    log:
        "<logs>/plot_observed.log",
    params:
        code=code("figures.observed"),
        made_by="figures.observed:plot_observed",
        classes=CLASSES,
        title=f"Observed lenses, networks of {CFG.labels[observed.domain]}",
        figures=FIGURE_STYLE,


rule observed:
    """Observed cut-outs (observed.lenses), scored by trained networks: table and figure."""
    input:
        at.table("observed"),
        at.figure("observed"),


use rule tabulate as tabulate_verdicts with:
    """How often a domain's own images are refused, and corrupted ones: a table."""
    output:
        outputs=tabled("verdicts"),
    log:
        "<logs>/tabulate_verdicts.log",
    params:
        code=code("evaluation.domain.table", "evaluation.domain.judge"),
        made_by="evaluation.domain.table:tabulate_verdicts",
        domains=observed.judged_domains(),
        fit=dump(CFG.fit),
        classes=CLASSES,
        folder=str(Path(CFG.results) / "verdict"),
        evaluation=dump(CFG.evaluation),
        seed=SEED,


rule verdicts:
    """How often a domain's own images are refused, and how often others are: a table."""
    input:
        lambda w: observed.verdict_table(),
