# Where the time of a training step goes on this machine: snakemake benchmark_training --cores 1


rule benchmark_training:
    input:
        source=source(
            "evaluation/training_speed.py",
            "training/loop.py",
            "training/losses.py",
            "training/classifier.py",
            "training/mae.py",
            "training/averaging.py",
            "training/stopwatch.py",
            "models/symmetry.py",
            "models/encoders.py",
            "models/mae.py",
        ),
    output:
        tables=table("training_speed"),
        run="results/tables/training_speed_run.json",
    log:
        "logs/benchmark_training.log",
    conda:
        "../envs/torch.yaml"
    threads: CFG.compute.threads
    resources:
        gpu=GPU,
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=lambda wildcards, attempt: 120 * attempt,
    params:
        domain=dump(CFG.timed_in_training),
        n_classes=len(CLASSES),
        encoders={name: dump(CFG.encoders[name]) for name in CFG.classifier.encoders},
        classifier=dump(CFG.classifier),
        mae=dump(CFG.anomaly.mae),
        spec=dump(CFG.benchmark.training),
        confidence=CFG.evaluation.confidence,
        setting=lambda w: setting(w, "benchmark of training"),
    script:
        "../workflow_scripts/benchmark_training.py"
