# From predictions and scores to tables with intervals, and the data behind figures.
TABLE_NAMES = ["classification"]
TABLE_NAMES += ["adaptation"] if PAIRS else []
TABLE_NAMES += ["anomaly"] if CFG.anomaly.domains else []
TABLE_NAMES += ["regression"] if CFG.regression.domains else []
TABLES = [file for name in TABLE_NAMES for file in table(name)]
TABLES += [f"results/tables/strength_{d}.csv" for d in CFG.classifier.domains]
TABLES += [f"results/tables/anomaly_strength_{d}.csv" for d in CFG.anomaly.domains]
TABLES += [f"results/tables/reliability_{d}.csv" for d in CFG.classifier.domains]


rule tabulate_classification:
    input:
        predictions=[file for d in CFG.classifier.domains for file in classification_files(d)],
        audits=audits(classification_rows(), "domain"),
        source=source(
            "evaluation/statistics/tables.py",
            "evaluation/classification/calibration.py",
            "evaluation/statistics/comparison.py",
            "evaluation/statistics/metrics.py",
            "evaluation/statistics/bootstrap.py",
            "evaluation/audit/verdicts.py",
        ),
    output:
        table("classification"),
    log:
        "logs/tabulate_classification.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        kind="classification",
        rows=classification_rows(),
        evaluation=dump(CFG.evaluation),
        seed=SEED,
    script:
        "../workflow_scripts/tabulate.py"


rule tabulate_adaptation:
    input:
        predictions=[row["path"] for row in adaptation_rows()],
        audits=audits(adaptation_rows(), "source_domain", "target_domain"),
        source=source(
            "evaluation/statistics/tables.py",
            "evaluation/statistics/comparison.py",
            "evaluation/adaptation/harm.py",
            "evaluation/statistics/metrics.py",
            "evaluation/statistics/bootstrap.py",
            "evaluation/audit/verdicts.py",
        ),
    output:
        table("adaptation"),
    log:
        "logs/tabulate_adaptation.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        kind="adaptation",
        rows=adaptation_rows(),
        evaluation=dump(CFG.evaluation),
        seed=SEED,
    script:
        "../workflow_scripts/tabulate.py"


rule tabulate_anomaly:
    input:
        scores=[row["path"] for row in anomaly_rows()],
        proxies=[row["proxies"] for row in anomaly_rows() if row["proxies"]],
        audits=audits(anomaly_rows(), "domain"),
        source=source(
            "evaluation/statistics/tables.py",
            "evaluation/statistics/metrics.py",
            "evaluation/statistics/bootstrap.py",
            "evaluation/audit/verdicts.py",
        ),
    output:
        table("anomaly"),
    log:
        "logs/tabulate_anomaly.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        kind="anomaly",
        rows=anomaly_rows(),
        evaluation=dump(CFG.evaluation),
        seed=SEED,
    script:
        "../workflow_scripts/tabulate.py"


rule tabulate_strength:
    input:
        predictions=lambda w: [r["path"] for r in classification_rows() if r["domain"] == w.domain],
        manifests=lambda w: manifests(w.domain, "test"),
        source=source("evaluation/gallery.py", "evaluation/statistics/bootstrap.py"),
    output:
        table="results/tables/strength_{domain}.csv",
    log:
        "logs/tabulate_strength/{domain}.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        rows=lambda w: [r for r in classification_rows() if r["domain"] == w.domain],
        stores=lambda w: {s: store(w.domain, s, "test") for s in CLASSES},
        evaluation=dump(CFG.evaluation),
        seed=SEED,
    script:
        "../workflow_scripts/tabulate_strength.py"


use rule tabulate_strength as tabulate_anomaly_strength with:
    input:
        scores=lambda w: flat(anomaly_scores(w.domain)),
        manifests=lambda w: manifests(w.domain, "test"),
        source=source("evaluation/gallery.py", "evaluation/statistics/bootstrap.py"),
    output:
        table="results/tables/anomaly_strength_{domain}.csv",
    log:
        "logs/tabulate_anomaly_strength/{domain}.log",
    params:
        rows=lambda w: [
            {"domain": w.domain, "model": method, "seed": seed, "path": path}
            for method, paths in anomaly_scores(w.domain).items()
            for seed, path in enumerate(paths)
        ],
        stores=lambda w: {s: store(w.domain, s, "test") for s in CLASSES},
        evaluation=dump(CFG.evaluation),
        seed=SEED,


rule tabulate_reliability:
    input:
        predictions=lambda w: classification_files(w.domain),
        source=source("evaluation/classification/calibration.py", "evaluation/statistics/bootstrap.py"),
    output:
        table="results/tables/reliability_{domain}.csv",
    log:
        "logs/tabulate_reliability/{domain}.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        rows=lambda w: [r for r in classification_rows() if r["domain"] == w.domain],
        evaluation=dump(CFG.evaluation),
        seed=SEED,
    script:
        "../workflow_scripts/tabulate_reliability.py"


rule collect_gallery:
    input:
        manifests=lambda w: manifests(w.domain, "test"),
    output:
        examples="results/gallery/{domain}.npz",
    log:
        "logs/collect_gallery/{domain}.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        stores=lambda w: stores(w.domain, "test"),
        classes=CLASSES,
        n_examples=CFG.figures.gallery_examples,
        pixel_scale=lambda w: CFG.domain(w.domain).instrument.pixel_scale,
    script:
        "../workflow_scripts/collect_gallery.py"


rule render_convergence:
    input:
        manifests=lambda w: manifests(w.domain, "test"),
    output:
        truth="results/convergence/{domain}.npz",
    log:
        "logs/render_convergence/{domain}.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        stores=lambda w: stores(w.domain, "test"),
        classes=CLASSES,
        img_size=lambda w: CFG.network_input.img_size(CFG.domain(w.domain).num_pix),
    script:
        "../workflow_scripts/render_convergence.py"


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
    conda:
        "../envs/torch.yaml"
    threads: CFG.compute.threads
    resources:
        gpu=GPU,
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        stores=lambda w: {"source": stores(w.source, "test"), "target": stores(w.target, "test")},
        classes=CLASSES,
        encoder=lambda w: dump(CFG.encoders[w.encoder]),
        n_embedded=CFG.evaluation.n_embedded,
        setting=lambda w: setting(w, "embed"),
    script:
        "../workflow_scripts/embed_domains.py"
