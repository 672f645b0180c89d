# Every classifier on the test images of every domain: how far it carries without adaptation.
TRANSFER_RUN = "results/transfer/{domain}/{target}/{encoder}/seed{seed}"
TRANSFER = table("transfer") + figure("transfer")


use rule predict_classifier as predict_transfer with:
    input:
        test=lambda w: manifests(w.target, "test"),
        weights=f"{CLASSIFIER_RUN}/weights.safetensors",
    output:
        predictions=f"{TRANSFER_RUN}/predictions.csv",
    log:
        "logs/predict_transfer/{domain}/{target}/{encoder}/seed{seed}.log",
    params:
        test=lambda w: stores(w.target, "test"),
        classes=CLASSES,
        encoder=lambda w: dump(CFG.encoders[w.encoder]),
        symmetry=lambda w: test_symmetry(w.target),
        setting=lambda w: setting(w, "predict"),


use rule predict_radial_profile as predict_radial_profile_transfer with:
    input:
        train=lambda w: manifests(w.domain, "train"),
        test=lambda w: manifests(w.target, "test"),
    output:
        predictions="results/transfer/{domain}/{target}/radial_profile/predictions.csv",
    log:
        "logs/predict_radial_profile_transfer/{domain}/{target}.log",
    params:
        train=lambda w: stores(w.domain, "train"),
        test=lambda w: stores(w.target, "test"),
        classes=CLASSES,
        setting=lambda w: setting(w, "radial profile"),


use rule tabulate_adaptation as tabulate_transfer with:
    input:
        predictions=[row["path"] for row in transfer_rows()],
        audits=audits(transfer_rows(), "domain", "target_domain"),
        source=source(
            "evaluation/statistics/tables.py",
            "evaluation/statistics/metrics.py",
            "evaluation/statistics/bootstrap.py",
            "evaluation/audit/verdicts.py",
        ),
    output:
        table("transfer"),
    log:
        "logs/tabulate_transfer.log",
    params:
        kind="transfer",
        rows=transfer_rows(),
        evaluation=dump(CFG.evaluation),
        seed=SEED,


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
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        figures=FIGURE_PARAMS,
    script:
        "../workflow_scripts/plot_transfer.py"


rule transfer:
    input:
        TRANSFER,
