# Figures: each depends on its table, its code and the section `figures`, and on nothing else.
FIGURE_PARAMS = CFG.figures.model_dump(exclude={"gallery_examples"})
FIRST_SEED = CFG.classifier.seeds[0]


FIGURES = [file for name in figure_names() for file in figure(name)]


rule plot_gallery:
    input:
        examples="results/gallery/{domain}.npz",
        source=source("figures/gallery.py", "figures/style.py"),
    output:
        figure("gallery/{domain}"),
    log:
        "logs/plot_gallery/{domain}.log",
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        title=lambda w: CFG.domain(w.domain).population.description + f", {w.domain}",
        figures=FIGURE_PARAMS,
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
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        runs=lambda w: classification_predictions(w.domain),
        title=lambda w: f"Classification, {w.domain}",
        figures=FIGURE_PARAMS,
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
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        runs=lambda w: classification_predictions(w.domain),
        title=lambda w: f"Classification, {w.domain}",
        figures=FIGURE_PARAMS,
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
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        runs=lambda w: histories_of(classifier_runs(w.domain)),
        title=lambda w: f"Classifier training, {w.domain}",
        figures=FIGURE_PARAMS,
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
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        title=lambda w: f"Strength of the substructure, {w.domain}",
        figures=FIGURE_PARAMS,
    script:
        "../workflow_scripts/plot_strength.py"


use rule plot_strength as plot_anomaly_strength with:
    input:
        table="results/tables/anomaly_strength_{domain}.csv",
        source=source("figures/summary.py", "figures/style.py"),
    output:
        figure("anomaly/strength_{domain}"),
    log:
        "logs/plot_anomaly_strength/{domain}.log",
    params:
        title=lambda w: f"Anomaly detection by strength of the substructure, {w.domain}",
        figures=FIGURE_PARAMS,


rule plot_reliability:
    input:
        table="results/tables/reliability_{domain}.csv",
        source=source("figures/reliability.py", "figures/style.py"),
    output:
        figure("classification/reliability_{domain}"),
    log:
        "logs/plot_reliability/{domain}.log",
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        title=lambda w: f"Reliability of probabilities, {w.domain}",
        figures=FIGURE_PARAMS,
    script:
        "../workflow_scripts/plot_reliability.py"


rule plot_roc_adaptation:
    input:
        predictions=lambda w: flat(adaptation_predictions(w.source, w.target, w.encoder)),
        source=source("figures/roc.py", "figures/style.py"),
    output:
        figure("adaptation/roc_{source}_{target}_{encoder}"),
    log:
        "logs/plot_roc_adaptation/{source}_{target}_{encoder}.log",
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        runs=lambda w: adaptation_predictions(w.source, w.target, w.encoder),
        title=lambda w: f"Adaptation from {w.source} to {w.target}",
        figures=FIGURE_PARAMS,
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
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        runs=lambda w: adaptation_predictions(w.source, w.target, w.encoder),
        title=lambda w: f"Adaptation from {w.source} to {w.target}",
        figures=FIGURE_PARAMS,
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
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        domains=lambda w: [w.source, w.target],
        figures=FIGURE_PARAMS,
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
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        title=lambda w: f"ADDA from {w.source} to {w.target}",
        figures=FIGURE_PARAMS,
    script:
        "../workflow_scripts/plot_history_adda.py"


rule plot_embedding:
    input:
        table=f"results/adaptation/{{source}}/{{target}}/{{encoder}}/adda/seed{FIRST_SEED}/embedding.csv",
        source=source("figures/embedding.py", "figures/style.py"),
    output:
        figure("adaptation/embedding_{source}_{target}_{encoder}"),
    log:
        "logs/plot_embedding/{source}_{target}_{encoder}.log",
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        title=lambda w: f"Embedding, {w.source} to {w.target}",
        figures=FIGURE_PARAMS,
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
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        runs=lambda w: anomaly_scores(w.domain),
        title=lambda w: f"Anomaly detection, {w.domain}",
        figures=FIGURE_PARAMS,
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
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        runs=lambda w: anomaly_scores(w.domain),
        title=lambda w: f"Anomaly scores, {w.domain}",
        figures=FIGURE_PARAMS,
    script:
        "../workflow_scripts/plot_score_distributions.py"


rule plot_history_mae:
    input:
        histories=lambda w: [
            f"results/anomaly/{w.domain}/mae/seed{s}/history.csv" for s in CFG.anomaly.seeds
        ],
        source=source("figures/history.py", "figures/style.py"),
    output:
        figure("anomaly/history_{domain}"),
    log:
        "logs/plot_history_mae/{domain}.log",
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        title=lambda w: f"Masked autoencoder, {w.domain}",
        figures=FIGURE_PARAMS,
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
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        domain=lambda w: w.domain,
        figures=FIGURE_PARAMS,
    script:
        "../workflow_scripts/plot_anomaly_summary.py"


rule plot_reconstructions:
    input:
        examples=f"results/anomaly/{{domain}}/mae/seed{CFG.anomaly.seeds[0]}/reconstructions.npz",
        truth="results/convergence/{domain}.npz",
        source=source("figures/reconstruction.py", "figures/style.py"),
    output:
        figure("anomaly/reconstructions_{domain}"),
    log:
        "logs/plot_reconstructions/{domain}.log",
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        title=lambda w: f"Masked autoencoder, {w.domain}",
        figures=FIGURE_PARAMS,
    script:
        "../workflow_scripts/plot_reconstructions.py"
