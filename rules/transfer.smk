# Every classifier on the test images of every domain: how far it carries without adaptation.
TRANSFER_RUN = "results/transfer/{domain}/{target}/{encoder}/seed{seed}"
TRANSFER = table("transfer") + figure("transfer")


rule predict_transfer:
    input:
        test=lambda w: manifests(w.target, "test"),
        weights=f"{CLASSIFIER_RUN}/weights.safetensors",
    output:
        predictions=f"{TRANSFER_RUN}/predictions.csv",
    log:
        "logs/predict_transfer/{domain}/{target}/{encoder}/seed{seed}.log",
    conda:
        "../envs/torch.yaml"
    threads: CFG.compute.threads
    resources:
        gpu=GPU,
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=60,
    params:
        test=lambda w: stores(w.target, "test"),
        classes=CLASSES,
        encoder=lambda w: dump(CFG.encoders[w.encoder]),
        symmetry=lambda w: test_symmetry(w.target),
        setting=lambda w: setting(w, "predict"),
    script:
        "../workflow_scripts/predict.py"


rule predict_radial_profile_transfer:
    input:
        train=lambda w: manifests(w.domain, "train"),
        test=lambda w: manifests(w.target, "test"),
    output:
        predictions="results/transfer/{domain}/{target}/radial_profile/predictions.csv",
    log:
        "logs/predict_radial_profile_transfer/{domain}/{target}.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 6000 * attempt,
        runtime=60,
    params:
        train=lambda w: stores(w.domain, "train"),
        test=lambda w: stores(w.target, "test"),
        classes=CLASSES,
        setting=lambda w: setting(w, "radial profile"),
    script:
        "../workflow_scripts/predict_radial_profile.py"


rule tabulate_transfer:
    input:
        predictions=[row["path"] for row in transfer_rows()],
        audits=audits(transfer_rows(), "domain", "target_domain"),
        source=source(
            "evaluation/tables.py",
            "evaluation/metrics.py",
            "evaluation/bootstrap.py",
            "evaluation/verdicts.py",
        ),
    output:
        table("transfer"),
    log:
        "logs/tabulate_transfer.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=60,
    params:
        kind="transfer",
        rows=transfer_rows(),
        evaluation=dump(CFG.evaluation),
        seed=SEED,
    script:
        "../workflow_scripts/tabulate.py"


rule plot_transfer:
    input:
        table="results/tables/transfer.csv",
        source=source("figures/transfer.py", "figures/style.py"),
    output:
        figure("transfer"),
    log:
        "logs/plot_transfer.log",
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=30,
    params:
        figures=FIGURE_PARAMS,
    script:
        "../workflow_scripts/plot_transfer.py"


rule transfer:
    input:
        TRANSFER,
