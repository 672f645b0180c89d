# From predictions and scores to tables with intervals, and the data behind figures.
BASELINE = "radial_profile"


def classification_rows():
    rows = []
    for domain in CFG.classifier.domains:
        for encoder, folders in classifier_runs(domain).items():
            rows += [
                {"domain": domain, "model": encoder, "seed": s, "path": f"{f}/predictions.csv"}
                for s, f in zip(CFG.classifier.seeds, folders)
            ]
        path = f"results/classification/{domain}/{BASELINE}/predictions.csv"
        rows.append({"domain": domain, "model": BASELINE, "seed": 0, "path": path})
    return rows


def adaptation_rows():
    return [
        {
            "source_domain": source,
            "target_domain": target,
            "model": encoder,
            "method": method,
            "seed": s,
            "path": f"{folder}/predictions.csv",
        }
        for source, target in PAIRS
        for encoder in CFG.adaptation.encoders
        for method, folders in adapted_runs(source, target, encoder).items()
        for s, folder in zip(CFG.classifier.seeds, folders)
    ]


def anomaly_rows():
    return [
        {"domain": domain, "method": method, "seed": seed, "path": path}
        for domain in CFG.anomaly.domains
        for method, paths in anomaly_scores(domain).items()
        for seed, path in enumerate(paths)
    ]


TABLE_NAMES = ["classification"]
TABLE_NAMES += ["adaptation"] if PAIRS else []
TABLE_NAMES += ["anomaly"] if CFG.anomaly.domains else []
TABLES = [file for name in TABLE_NAMES for file in table(name)]
TABLES += [f"results/tables/strength_{d}.csv" for d in CFG.classifier.domains]


def all_weights():
    """Weights of every run of the configuration."""
    rows = classification_rows() + adaptation_rows() + anomaly_rows()
    unweighted = (BASELINE, "source_only", "pca", "total_flux")
    folders = [
        str(Path(r["path"]).parent)
        for r in rows
        if r.get("method") not in unweighted and r.get("model") != BASELINE
    ]
    return [f"{folder}/weights.safetensors" for folder in folders]


rule tabulate_classification:
    input:
        predictions=[row["path"] for row in classification_rows()],
        source=source("evaluation/tables.py", "evaluation/metrics.py", "evaluation/bootstrap.py"),
    output:
        table("classification"),
    log:
        "logs/tabulate_classification.log",
    params:
        rows=classification_rows(),
        evaluation=dump(CFG.evaluation),
        seed=SEED,
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=60,
    conda:
        ENVS + "/torch.yaml"
    script:
        "../workflow_scripts/tabulate_classification.py"


rule tabulate_adaptation:
    input:
        predictions=[row["path"] for row in adaptation_rows()],
        source=source("evaluation/tables.py", "evaluation/metrics.py", "evaluation/bootstrap.py"),
    output:
        table("adaptation"),
    log:
        "logs/tabulate_adaptation.log",
    params:
        rows=adaptation_rows(),
        evaluation=dump(CFG.evaluation),
        seed=SEED,
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=60,
    conda:
        ENVS + "/torch.yaml"
    script:
        "../workflow_scripts/tabulate_adaptation.py"


rule tabulate_anomaly:
    input:
        scores=[row["path"] for row in anomaly_rows()],
        source=source("evaluation/tables.py", "evaluation/metrics.py", "evaluation/bootstrap.py"),
    output:
        table("anomaly"),
    log:
        "logs/tabulate_anomaly.log",
    params:
        rows=anomaly_rows(),
        evaluation=dump(CFG.evaluation),
        seed=SEED,
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=60,
    conda:
        ENVS + "/torch.yaml"
    script:
        "../workflow_scripts/tabulate_anomaly.py"


rule tabulate_strength:
    input:
        predictions=lambda w: [r["path"] for r in classification_rows() if r["domain"] == w.domain],
        manifests=lambda w: manifests(w.domain, "test"),
        source=source("evaluation/examples.py", "evaluation/bootstrap.py"),
    output:
        table="results/tables/strength_{domain}.csv",
    log:
        "logs/tabulate_strength/{domain}.log",
    params:
        rows=lambda w: [r for r in classification_rows() if r["domain"] == w.domain],
        stores=lambda w: {s: store(w.domain, s, "test") for s in CLASSES},
        evaluation=dump(CFG.evaluation),
        seed=SEED,
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=60,
    conda:
        ENVS + "/torch.yaml"
    script:
        "../workflow_scripts/tabulate_strength.py"


rule collect_gallery:
    input:
        manifests=lambda w: manifests(w.domain, "test"),
    output:
        examples="results/gallery/{domain}.npz",
    log:
        "logs/collect_gallery/{domain}.log",
    params:
        stores=lambda w: stores(w.domain, "test"),
        classes=CLASSES,
        n_examples=CFG.figures.gallery_examples,
        pixel_scale=lambda w: CFG.domain(w.domain).instrument.pixel_scale,
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=30,
    conda:
        ENVS + "/torch.yaml"
    script:
        "../workflow_scripts/collect_gallery.py"


rule embed_domains:
    input:
        source=lambda w: manifests(w.source, "test"),
        target=lambda w: manifests(w.target, "test"),
        source_weights=source_weights,
        target_weights="results/adaptation/{source}/{target}/{encoder}/adda/seed{seed}/weights.safetensors",
    output:
        table="results/adaptation/{source}/{target}/{encoder}/adda/seed{seed}/embedding.csv",
    log:
        "logs/embed_domains/{source}/{target}/{encoder}/seed{seed}.log",
    params:
        stores=lambda w: {"source": stores(w.source, "test"), "target": stores(w.target, "test")},
        classes=CLASSES,
        encoder=lambda w: dump(CFG.encoders[w.encoder]),
        n_embedded=CFG.evaluation.n_embedded,
        setting=lambda w: setting(w, "embed"),
    threads: CFG.compute.threads
    resources:
        gpu=GPU,
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=60,
    conda:
        ENVS + "/torch.yaml"
    script:
        "../workflow_scripts/embed_domains.py"
