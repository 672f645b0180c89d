# Speed on this machine. No other target asks for it, and it wants the core for itself.


rule run_benchmark:
    """Images per second of simulators and loader: a table."""
    output:
        tables=tabled("benchmark"),
        run="<results>/tables/benchmark_run.json",
    log:
        "<logs>/run_benchmark.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        **needs(4000, 120),
    params:
        code=code("evaluation.speed.rendering", "simulate.dataset"),
        domains=[dump(domain) for domain in CFG.timed.values()],
        substructures=CLASSES,
        benchmark=dump(CFG.benchmark.rendering),
        network_input=IMAGE_INPUT,
        precision=CFG.simulation.precision,
        seed=SEED,
    script:
        "../workflow_scripts/run_benchmark.py"


use rule plot as plot_benchmark with:
    """Images per second of simulators and loader."""
    input:
        table=at.table_csv("benchmark"),
    output:
        output=pictured("benchmark"),
    log:
        "<logs>/plot_benchmark.log",
    params:
        code=code("figures.benchmark"),
        made_by="figures.benchmark:plot_benchmark",
        labels={name: CFG.labels[name] for name in CFG.timed},
        figures=FIGURE_STYLE,


rule benchmark_fits:
    """Fits per second and core, beside those of scipy and lenstronomy: a table."""
    output:
        tables=tabled("fit_speed"),
        run="<results>/tables/fit_speed_run.json",
    log:
        "<logs>/benchmark_fits.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        **needs(4000, 240),
    params:
        code=code("evaluation.speed.fits", "fit.smooth"),
        domains=[dump(domain) for domain in CFG.timed_in_fits.values()],
        fit=dump(CFG.fit),
        spec=dump(CFG.benchmark.fits),
        evaluation=dump(CFG.evaluation),
        seed=SEED,
    script:
        "../workflow_scripts/benchmark_fits.py"


rule benchmark_workflow:
    """What planning and starting jobs costs: a table."""
    output:
        tables=tabled("workflow_overhead"),
        run="<results>/tables/workflow_overhead_run.json",
    log:
        "<logs>/benchmark_workflow.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        **needs(4000, 60),
    params:
        code=code("evaluation.speed.workflow"),
        snakefile=f"{HERE}/Snakefile",
        configs=CONFIG_FILES,
        domain=CFG.domains[0],
        n_stores=len(CFG.domains) * len(CLASSES),
        spec=dump(CFG.benchmark.workflow),
    script:
        "../workflow_scripts/benchmark_workflow.py"


rule benchmark_training:
    """Where the time of a training step goes: a table."""
    output:
        tables=tabled("training_speed"),
        run="<results>/tables/training_speed_run.json",
    log:
        "<logs>/benchmark_training.log",
    conda:
        "../envs/torch.yaml"
    threads: CFG.compute.threads
    resources:
        **needs(8000, 120),
        gpu=GPU,
    params:
        code=code(
            "evaluation.speed.training", "training.classification.task", "training.anomaly.mae"
        ),
        domain=dump(CFG.timed_in_training),
        n_classes=len(CLASSES),
        encoders={name: dump(CFG.encoders[name]) for name in CFG.classifier.encoders},
        classifier=dump(CFG.classifier.recipe),
        mae=dump(CFG.anomaly.mae),
        spec=dump(CFG.benchmark.training),
        confidence=CFG.evaluation.confidence,
        setting=lambda w: setting(w, "benchmark of training", IMAGE),
    script:
        "../workflow_scripts/benchmark_training.py"


rule benchmark:
    """Speed of simulator, loader, fits, training and workflow on this machine: tables and figure."""
    input:
        at.table("benchmark"),
        at.figure("benchmark"),
        at.table("fit_speed"),
        at.table("training_speed"),
        at.table("workflow_overhead"),
