# Speed on this machine. No other target asks for it, and it wants the core for itself.


rule run_benchmark:
    input:
        source=source(
            "evaluation/speed/rendering.py",
            "simulate/kernel.py",
            "simulate/halo_kernel.py",
            "simulate/light_kernel.py",
            "simulate/noise_kernel.py",
            "simulate/vector_math.py",
            "simulate/render.py",
            "simulate/systems.py",
        ),
    output:
        tables=table("benchmark"),
        run="results/tables/benchmark_run.json",
    log:
        "logs/run_benchmark.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 120 * attempt,
    params:
        domains=[dump(domain) for domain in CFG.timed.values()],
        substructures=CLASSES,
        benchmark=CFG.benchmark.model_dump(exclude={"training"}),
        network_input=dump(CFG.network_input),
        precision=CFG.simulation.precision,
        seed=SEED,
    script:
        "../workflow_scripts/run_benchmark.py"


rule plot_benchmark:
    input:
        table="results/tables/benchmark.csv",
        source=source("figures/benchmark.py", "figures/style.py"),
    output:
        figure("benchmark"),
    log:
        "logs/plot_benchmark.log",
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        figures=FIGURE_PARAMS,
    script:
        "../workflow_scripts/plot_benchmark.py"


rule benchmark_workflow:
    input:
        source=source("evaluation/speed/workflow.py"),
    output:
        tables=table("workflow_overhead"),
        run="results/tables/workflow_overhead_run.json",
    log:
        "logs/benchmark_workflow.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        snakefile=str(workflow.main_snakefile),
        configs=CONFIG_FILES,
        domain=CFG.domains[0],
        n_stores=len(CFG.domains) * len(CLASSES),
        spec=dump(CFG.benchmark.workflow),
    script:
        "../workflow_scripts/benchmark_workflow.py"
