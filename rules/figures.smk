# Figures: each depends on its table, its code and the section `figures`, and on nothing else.
FIGURE_PARAMS = CFG.figures.model_dump(exclude={"gallery_examples"})
FIRST_ENCODER = CFG.adaptation.encoders[0]
FIRST_SEED = CFG.classifier.seeds[0]


def predictions_of(runs):
    """Method or encoder -> predictions of every seed."""
    return {name: [f"{folder}/predictions.csv" for folder in folders] for name, folders in runs.items()}


def classification_predictions(domain):
    baseline = f"results/classification/{domain}/{BASELINE}/predictions.csv"
    return {**predictions_of(classifier_runs(domain)), BASELINE: [baseline]}


def adaptation_predictions(source, target, encoder):
    return predictions_of(adapted_runs(source, target, encoder))


def histories_of(runs):
    return {name: [f"{folder}/history.csv" for folder in folders] for name, folders in runs.items()}


def flat(mapping):
    return [path for paths in mapping.values() for path in paths]


def figure_names():
    names = [f"gallery/{d}" for d in CFG.domains]
    for d in CFG.classifier.domains:
        names += [f"classification/{kind}_{d}" for kind in ("roc", "confusion", "history", "strength")]
    for s, t in PAIRS:
        for e in CFG.adaptation.encoders:
            kinds = ["roc", "confusion", "summary"]
            kinds += ["history", "embedding"] if "adda" in CFG.adaptation.methods else []
            names += [f"adaptation/{kind}_{s}_{t}_{e}" for kind in kinds]
    for d in CFG.anomaly.domains:
        kinds = ("roc", "scores", "history", "summary", "reconstructions")
        names += [f"anomaly/{kind}_{d}" for kind in kinds]
    return names


FIGURES = [file for name in figure_names() for file in figure(name)]


rule plot_gallery:
    input:
        examples="results/gallery/{domain}.npz",
        source=source("figures/gallery.py", "figures/style.py"),
    output:
        figure("gallery/{domain}"),
    log:
        "logs/plot_gallery/{domain}.log",
    params:
        title=lambda w: CFG.domain(w.domain).population.description + f", {w.domain}",
        figures=FIGURE_PARAMS,
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=30,
    conda:
        ENVS + "/figures.yaml"
    script:
        "../workflow_scripts/plot_gallery.py"


rule plot_roc_classification:
    input:
        predictions=lambda w: flat(classification_predictions(w.domain)),
        source=source("figures/roc.py", "figures/style.py"),
    output:
        figure("classification/roc_{domain}"),
    log:
        "logs/plot_roc_classification/{domain}.log",
    params:
        runs=lambda w: classification_predictions(w.domain),
        title=lambda w: f"Classification, {w.domain}",
        figures=FIGURE_PARAMS,
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=30,
    conda:
        ENVS + "/figures.yaml"
    script:
        "../workflow_scripts/plot_roc_classification.py"


rule plot_confusion:
    input:
        predictions=lambda w: flat(classification_predictions(w.domain)),
        source=source("figures/confusion.py", "figures/style.py"),
    output:
        figure("classification/confusion_{domain}"),
    log:
        "logs/plot_confusion/{domain}.log",
    params:
        runs=lambda w: classification_predictions(w.domain),
        title=lambda w: f"Classification, {w.domain}",
        figures=FIGURE_PARAMS,
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=30,
    conda:
        ENVS + "/figures.yaml"
    script:
        "../workflow_scripts/plot_confusion.py"


rule plot_history_classifier:
    input:
        histories=lambda w: flat(histories_of(classifier_runs(w.domain))),
        source=source("figures/history.py", "figures/style.py"),
    output:
        figure("classification/history_{domain}"),
    log:
        "logs/plot_history_classifier/{domain}.log",
    params:
        runs=lambda w: histories_of(classifier_runs(w.domain)),
        title=lambda w: f"Classifier training, {w.domain}",
        figures=FIGURE_PARAMS,
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=30,
    conda:
        ENVS + "/figures.yaml"
    script:
        "../workflow_scripts/plot_history_classifier.py"


rule plot_strength:
    input:
        table="results/tables/strength_{domain}.csv",
        source=source("figures/summary.py", "figures/style.py"),
    output:
        figure("classification/strength_{domain}"),
    log:
        "logs/plot_strength/{domain}.log",
    params:
        title=lambda w: f"Strength of the substructure, {w.domain}",
        figures=FIGURE_PARAMS,
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=30,
    conda:
        ENVS + "/figures.yaml"
    script:
        "../workflow_scripts/plot_strength.py"


rule plot_roc_adaptation:
    input:
        predictions=lambda w: flat(adaptation_predictions(w.source, w.target, w.encoder)),
        source=source("figures/roc.py", "figures/style.py"),
    output:
        figure("adaptation/roc_{source}_{target}_{encoder}"),
    log:
        "logs/plot_roc_adaptation/{source}_{target}_{encoder}.log",
    params:
        runs=lambda w: adaptation_predictions(w.source, w.target, w.encoder),
        title=lambda w: f"Adaptation from {w.source} to {w.target}",
        figures=FIGURE_PARAMS,
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=30,
    conda:
        ENVS + "/figures.yaml"
    script:
        "../workflow_scripts/plot_roc_adaptation.py"


rule plot_confusion_adaptation:
    input:
        predictions=lambda w: flat(adaptation_predictions(w.source, w.target, w.encoder)),
        source=source("figures/confusion.py", "figures/style.py"),
    output:
        figure("adaptation/confusion_{source}_{target}_{encoder}"),
    log:
        "logs/plot_confusion_adaptation/{source}_{target}_{encoder}.log",
    params:
        runs=lambda w: adaptation_predictions(w.source, w.target, w.encoder),
        title=lambda w: f"Adaptation from {w.source} to {w.target}",
        figures=FIGURE_PARAMS,
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=30,
    conda:
        ENVS + "/figures.yaml"
    script:
        "../workflow_scripts/plot_confusion.py"


rule plot_adaptation_summary:
    input:
        table="results/tables/adaptation.csv",
        source=source("figures/summary.py", "figures/style.py"),
    output:
        figure("adaptation/summary_{source}_{target}_{encoder}"),
    log:
        "logs/plot_adaptation_summary/{source}_{target}_{encoder}.log",
    params:
        domains=lambda w: [w.source, w.target],
        figures=FIGURE_PARAMS,
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=30,
    conda:
        ENVS + "/figures.yaml"
    script:
        "../workflow_scripts/plot_adaptation_summary.py"


rule plot_history_adda:
    input:
        histories=lambda w: histories_of(adapted_runs(w.source, w.target, w.encoder))["adda"],
        source=source("figures/history.py", "figures/style.py"),
    output:
        figure("adaptation/history_{source}_{target}_{encoder}"),
    log:
        "logs/plot_history_adda/{source}_{target}_{encoder}.log",
    params:
        title=lambda w: f"ADDA from {w.source} to {w.target}",
        figures=FIGURE_PARAMS,
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=30,
    conda:
        ENVS + "/figures.yaml"
    script:
        "../workflow_scripts/plot_history_adda.py"


rule plot_embedding:
    input:
        table="results/adaptation/{source}/{target}/{encoder}/adda/seed" + str(FIRST_SEED) + "/embedding.csv",
        source=source("figures/embedding.py", "figures/style.py"),
    output:
        figure("adaptation/embedding_{source}_{target}_{encoder}"),
    log:
        "logs/plot_embedding/{source}_{target}_{encoder}.log",
    params:
        title=lambda w: f"Embedding, {w.source} to {w.target}",
        figures=FIGURE_PARAMS,
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=30,
    conda:
        ENVS + "/figures.yaml"
    script:
        "../workflow_scripts/plot_embedding.py"


rule plot_roc_anomaly:
    input:
        scores=lambda w: flat(anomaly_scores(w.domain)),
        source=source("figures/roc.py", "figures/style.py"),
    output:
        figure("anomaly/roc_{domain}"),
    log:
        "logs/plot_roc_anomaly/{domain}.log",
    params:
        runs=lambda w: anomaly_scores(w.domain),
        title=lambda w: f"Anomaly detection, {w.domain}",
        figures=FIGURE_PARAMS,
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=30,
    conda:
        ENVS + "/figures.yaml"
    script:
        "../workflow_scripts/plot_roc_anomaly.py"


rule plot_score_distributions:
    input:
        scores=lambda w: flat(anomaly_scores(w.domain)),
        source=source("figures/scores.py", "figures/style.py"),
    output:
        figure("anomaly/scores_{domain}"),
    log:
        "logs/plot_score_distributions/{domain}.log",
    params:
        runs=lambda w: anomaly_scores(w.domain),
        title=lambda w: f"Anomaly scores, {w.domain}",
        figures=FIGURE_PARAMS,
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=30,
    conda:
        ENVS + "/figures.yaml"
    script:
        "../workflow_scripts/plot_score_distributions.py"


rule plot_history_mae:
    input:
        histories=lambda w: [f"results/anomaly/{w.domain}/mae/seed{s}/history.csv" for s in CFG.anomaly.seeds],
        source=source("figures/history.py", "figures/style.py"),
    output:
        figure("anomaly/history_{domain}"),
    log:
        "logs/plot_history_mae/{domain}.log",
    params:
        title=lambda w: f"Masked autoencoder, {w.domain}",
        figures=FIGURE_PARAMS,
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=30,
    conda:
        ENVS + "/figures.yaml"
    script:
        "../workflow_scripts/plot_history_mae.py"


rule plot_anomaly_summary:
    input:
        table="results/tables/anomaly.csv",
        source=source("figures/summary.py", "figures/style.py"),
    output:
        figure("anomaly/summary_{domain}"),
    log:
        "logs/plot_anomaly_summary/{domain}.log",
    params:
        domain=lambda w: w.domain,
        figures=FIGURE_PARAMS,
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=30,
    conda:
        ENVS + "/figures.yaml"
    script:
        "../workflow_scripts/plot_anomaly_summary.py"


rule plot_reconstructions:
    input:
        examples="results/anomaly/{domain}/mae/seed" + str(CFG.anomaly.seeds[0]) + "/reconstructions.npz",
        source=source("figures/reconstruction.py", "figures/style.py"),
    output:
        figure("anomaly/reconstructions_{domain}"),
    log:
        "logs/plot_reconstructions/{domain}.log",
    params:
        title=lambda w: f"Masked autoencoder, {w.domain}",
        figures=FIGURE_PARAMS,
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=30,
    conda:
        ENVS + "/figures.yaml"
    script:
        "../workflow_scripts/plot_reconstructions.py"
