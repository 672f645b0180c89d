# Where a classifier looks, beside where the substructure is.
ATTRIBUTION = table("attribution") + attribution_figures()


rule render_attribution_truth:
    input:
        manifests=lambda w: manifests(w.domain, "test"),
        source=source(
            "evaluation/attribution/truth.py",
            "simulate/convergence.py",
        ),
    output:
        truth="results/attribution/{domain}/truth.npz",
        baselines="results/attribution/{domain}/baselines.csv",
    log:
        "logs/render_attribution_truth/{domain}.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        stores=lambda w: stores(w.domain, "test"),
        classes=CLASSES,
        n_images=CFG.attribution.n_images,
        network_input=dump(CFG.network_input),
    script:
        "../workflow_scripts/render_attribution_truth.py"


rule map_classifier:
    input:
        test=lambda w: manifests(w.domain, "test"),
        truth="results/attribution/{domain}/truth.npz",
        weights=f"{CLASSIFIER_RUN}/weights.safetensors",
        predictions=f"{CLASSIFIER_RUN}/predictions.csv",
        source=source("evaluation/attribution/maps.py", "models/attribution.py"),
    output:
        scores=f"{MAPS_RUN}/scores.csv",
        examples=f"{MAPS_RUN}/examples.npz",
    log:
        "logs/map_classifier/{domain}/{encoder}/seed{seed}.log",
    conda:
        "../envs/torch.yaml"
    threads: CFG.compute.threads
    resources:
        gpu=GPU,
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 120 * attempt,
    params:
        test=lambda w: stores(w.domain, "test"),
        classes=CLASSES,
        encoder=lambda w: dump(CFG.encoders[w.encoder]),
        maps=map_params(),
        symmetry=lambda w: test_symmetry(w.domain),
        setting=lambda w: setting(w, "attribution"),
    script:
        "../workflow_scripts/map_classifier.py"


rule tabulate_attribution:
    input:
        scores=[row["path"] for row in attribution_rows()],
        audits=audits(attribution_rows(), "domain"),
        source=source(
            "evaluation/attribution/maps.py",
            "evaluation/statistics/tables.py",
            "evaluation/statistics/bootstrap.py",
            "evaluation/audit/verdicts.py",
        ),
    output:
        table("attribution"),
    log:
        "logs/tabulate_attribution.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        rows=attribution_rows(),
        evaluation=dump(CFG.evaluation),
        seed=SEED,
    script:
        "../workflow_scripts/tabulate_attribution.py"


rule plot_attribution:
    input:
        examples=mapped_examples,
        source=source("figures/attribution.py", "figures/style.py"),
    output:
        figure("attribution/{domain}_{encoder}"),
    log:
        "logs/plot_attribution/{domain}/{encoder}.log",
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        title=lambda w: f"Attribution maps, {w.domain}",
        encoder=lambda w: w.encoder,
        figures=FIGURE_PARAMS,
    script:
        "../workflow_scripts/plot_attribution.py"
