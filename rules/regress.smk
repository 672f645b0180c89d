# How much substructure and which axion: regression with a Gaussian likelihood.
REGRESSION = table("regression") if CFG.regression.domains else []
REGRESSION += [file for d in CFG.regression.domains for file in figure(f"regression/{d}")]


rule train_regression:
    input:
        train=lambda w: manifest(w.domain, w.substructure, "train"),
        validation=lambda w: manifest(w.domain, w.substructure, "val"),
        classifier=regression_start,
    output:
        **run_files(REGRESSION_RUN),
    log:
        "logs/train_regression/{domain}/{substructure}/{encoder}/seed{seed}.log",
    priority: 50
    conda:
        "../envs/torch.yaml"
    threads: CFG.compute.threads
    resources:
        gpu=GPU,
        mem_mb=lambda wildcards, attempt: 6000 * attempt,
        runtime=lambda wildcards, attempt: 720 * attempt,
    params:
        train=lambda w: store(w.domain, w.substructure, "train"),
        validation=lambda w: store(w.domain, w.substructure, "val"),
        encoder=lambda w: dump(CFG.encoders[w.encoder]),
        regression=regression_params(),
        target=target_params,
        num_classes=len(CLASSES),
        symmetry=lambda w: symmetry(w.domain),
        setting=lambda w: setting(
            w, f"regression {w.domain} {w.substructure} {w.encoder} seed {w.seed}"
        ),
    script:
        "../workflow_scripts/train_regression.py"


rule predict_regression:
    input:
        validation=lambda w: manifest(w.domain, w.substructure, "val"),
        test=lambda w: manifest(w.domain, w.substructure, "test"),
        weights=f"{REGRESSION_RUN}/weights.safetensors",
    output:
        predictions=f"{REGRESSION_RUN}/predictions.csv",
    log:
        "logs/predict_regression/{domain}/{substructure}/{encoder}/seed{seed}.log",
    conda:
        "../envs/torch.yaml"
    threads: CFG.compute.threads
    resources:
        gpu=GPU,
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        validation=lambda w: store(w.domain, w.substructure, "val"),
        test=lambda w: store(w.domain, w.substructure, "test"),
        encoder=lambda w: dump(CFG.encoders[w.encoder]),
        target=target_params,
        symmetry=lambda w: test_symmetry(w.domain),
        setting=lambda w: setting(w, "predict"),
    script:
        "../workflow_scripts/predict_regression.py"


rule regress_baselines:
    input:
        manifests=lambda w: [
            file
            for split in ("train", "val", "test")
            for file in manifest(w.domain, w.substructure, split)
        ],
    output:
        prior="results/regression/{domain}/{substructure}/prior/predictions.csv",
        radial_profile="results/regression/{domain}/{substructure}/radial_profile/predictions.csv",
    log:
        "logs/regress_baselines/{domain}/{substructure}.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 6000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        stores=lambda w: {
            split: store(w.domain, w.substructure, split) for split in ("train", "val", "test")
        },
        target=target_params,
        setting=lambda w: setting(w, "baselines of regression"),
    script:
        "../workflow_scripts/regress_baselines.py"


rule tabulate_regression:
    input:
        predictions=[row["path"] for row in regression_rows()],
        audits=audits(regression_rows(), "domain"),
        source=source(
            "evaluation/regression/metrics.py",
            "evaluation/statistics/tables.py",
            "evaluation/statistics/bootstrap.py",
            "evaluation/audit/verdicts.py",
        ),
    output:
        table("regression"),
    log:
        "logs/tabulate_regression.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        rows=regression_rows(),
        evaluation=dump(CFG.evaluation),
        seed=SEED,
    script:
        "../workflow_scripts/tabulate_regression.py"


rule plot_regression:
    input:
        predictions=lambda w: [row["path"] for row in regression_networks(w.domain)],
        source=source("figures/regression.py", "figures/style.py"),
    output:
        figure("regression/{domain}"),
    log:
        "logs/plot_regression/{domain}.log",
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        runs=lambda w: regression_networks(w.domain),
        title=lambda w: f"Regression, {w.domain}",
        figures=CFG.figures.model_dump(exclude={"gallery_examples"}),
    script:
        "../workflow_scripts/plot_regression.py"
