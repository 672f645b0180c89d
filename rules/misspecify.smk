# What breaks the fits: lenses simulated as the truth says, fitted as the observer believes, in memory.
# No other target asks for them.


rule measure_misspecification:
    """Detection where the truth is not what the fit believes, in one case."""
    output:
        **misspecification.outputs,
    log:
        "<logs>/measure_misspecification/{variant}.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        **needs(4000, 120),
    params:
        code=code("evaluation.anomaly.misspecification", "fit.smooth"),
        case=misspecification.case,
        classes=CLASSES,
        sample=misspecification.sample,
        seed=SEED,
    script:
        "../workflow_scripts/measure_misspecification.py"


use rule tabulate as tabulate_misspecification with:
    """Detection where the truth is not what the fit believes, in every case: a table."""
    input:
        scores=misspecification.files(),
    output:
        outputs=tabled("misspecification"),
        run="<results>/tables/misspecification_run.json",
    log:
        "<logs>/tabulate_misspecification.log",
    params:
        code=code("evaluation.anomaly.misspecification"),
        made_by="evaluation.anomaly.misspecification:tabulate_misspecification",
        runs=misspecification.rows(),
        section=dump(CFG.misspecification),
        classes=CLASSES,
        evaluation=dump(CFG.evaluation),
        seed=SEED,


rule misspecification:
    """What breaks the fits of smooth lenses, and what helps: a table."""
    input:
        misspecification.results(),
