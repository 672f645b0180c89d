# The masked autoencoder with one setting changed at a time. No other target asks for it.


use rule train_mae as train_swept with:
    input:
        train=manifest(sweep_domain(), "no_sub", "train"),
        validation=manifest(sweep_domain(), "no_sub", "val"),
    output:
        **run_files(SWEPT_RUN),
    log:
        "logs/train_swept/{variant}/seed{seed}.log",
    priority: 50
    params:
        train=store(sweep_domain(), "no_sub", "train"),
        validation=store(sweep_domain(), "no_sub", "val"),
        mae=lambda w: dump(swept_of(w).mae),
        n_train=swept_n_train,
        symmetry=symmetry(sweep_domain()),
        setting=lambda w: setting(w, f"MAE {w.variant} seed {w.seed}"),


use rule score_anomalies as score_swept with:
    input:
        scored=scored_manifests(sweep_domain()),
        reference=manifest(sweep_domain(), "no_sub", "train"),
        weights=swept_weights,
    output:
        **score_files(SWEPT_RUN, CFG.sweep.scores),
        examples=f"{SWEPT_RUN}/reconstructions.npz",
    log:
        "logs/score_swept/{variant}/seed{seed}.log",
    params:
        scored=scored(sweep_domain(), CFG.sweep.scores),
        reference=store(sweep_domain(), "no_sub", "train"),
        scoring=lambda w: dump(swept_of(w)),
        pixel_scale=CFG.domain(sweep_domain()).instrument.pixel_scale,
        setting=lambda w: setting(w, "score"),


use rule tabulate_anomaly as tabulate_sweep with:
    input:
        scores=[row["path"] for row in sweep_rows()],
        proxies=[row["proxies"] for row in sweep_rows()],
        audits=audits(sweep_rows(), "domain"),
        source=source(
            "evaluation/statistics/tables.py",
            "evaluation/statistics/metrics.py",
            "evaluation/statistics/bootstrap.py",
            "evaluation/audit/verdicts.py",
        ),
    output:
        table("sweep"),
    log:
        "logs/tabulate_sweep.log",
    params:
        kind="sweep",
        rows=sweep_rows(),
        evaluation=dump(CFG.evaluation),
        seed=SEED,


rule plot_sweep:
    input:
        table="results/tables/sweep.csv",
        source=source("figures/sweep.py", "figures/style.py"),
    output:
        figure("sweep"),
    log:
        "logs/plot_sweep.log",
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        title=f"Masked autoencoder, one setting at a time, {sweep_domain()}",
        shipped=sweep_shipped(),
        figures=FIGURE_PARAMS,
    script:
        "../workflow_scripts/plot_sweep.py"
