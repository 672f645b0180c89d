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
        refusing(observed.scored),


rule model_observed:
    input:
        files=lambda w: observed.files_of_lens(w.key),
    output:
        row=f"{at.observed_model}.json",
        examples=f"{at.observed_model}.npz",
    log:
        "<logs>/model_observed/{key}.log",
    wildcard_constraints:
        key="|".join(map(re.escape, observed.lenses)) or "no lens",
    conda:
        "../envs/simulate.yaml"
    threads: 1
    resources:
        **needs(2000, 60),
    params:
        name=lambda w: observed.lenses[w.key],
        lens=lambda w: dump(observed.lens(w.key)),
        n_mocks=CFG.observed.n_mocks,
        seed=SEED,
    script:
        "../workflow_scripts/model_observed.py"


use rule tabulate as tabulate_observed_models with:
    input:
        rows=observed.models(),
    output:
        outputs=tabled("observed_models"),
    log:
        "<logs>/tabulate_observed_models.log",
    params:
        code=code("evaluation.observed_models"),
        made_by="evaluation.observed_models:tabulate_observed_models",
        n_mocks=CFG.observed.n_mocks,


use rule plot as plot_observed_model with:
    input:
        examples=f"{at.observed_model}.npz",
    output:
        output=pictured("observed_models/{key}"),
    log:
        "<logs>/plot_observed_model/{key}.log",
    params:
        code=code("figures.observed_model"),
        made_by="figures.observed_model:plot_observed_model",
        title=lambda w: observed.lenses[w.key],
        figures=FIGURE_STYLE,


rule observed_models:
    """Observed cut-outs modelled at their own pixels: table, and a picture of each."""
    input:
        refusing(observed.model_results),


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
        refusing(observed.verdict_table),
