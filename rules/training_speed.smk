# Where the time of a training step goes on this machine: snakemake benchmark_training --cores 1


rule benchmark_training:
    input:
        source=source(
            "evaluation/speed/training.py",
            "training/engine/loop.py",
            "training/engine/losses.py",
            "training/classification/task.py",
            "training/anomaly/mae.py",
            "training/engine/averaging.py",
            "training/engine/stopwatch.py",
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
