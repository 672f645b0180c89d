# lensml: from a physics prior to the figures of a paper.
#   snakemake --cores 2                                     the default run
#   snakemake --cores 2 --configfile config/smoke.yaml      every rule in seconds
from snakemake.utils import min_version

min_version("9.10")


configfile: f"{workflow.basedir}/config/config.yaml"


include: "rules/common.smk"
include: "rules/runs.smk"
include: "rules/anomaly_runs.smk"
include: "rules/sweep_runs.smk"
include: "rules/pretraining_runs.smk"
include: "rules/observed_runs.smk"
include: "rules/regression_runs.smk"
include: "rules/attribution_runs.smk"
include: "rules/development_runs.smk"
include: "rules/simulate.smk"
include: "rules/classify.smk"
include: "rules/regress.smk"
include: "rules/adapt.smk"
include: "rules/development.smk"
include: "rules/anomaly.smk"
include: "rules/autoencoders.smk"
include: "rules/macro_fit.smk"
include: "rules/evaluate.smk"
include: "rules/audit.smk"
include: "rules/figures.smk"
include: "rules/transfer.smk"
include: "rules/benchmark.smk"
include: "rules/training_speed.smk"
include: "rules/limit.smk"
include: "rules/network_limit.smk"
include: "rules/attribution.smk"
include: "rules/study_runs.smk"
include: "rules/studies.smk"
include: "rules/search.smk"
include: "rules/sweep.smk"
include: "rules/pretraining.smk"
include: "rules/export.smk"
include: "rules/observed.smk"


rule all:
    default_target: True
    input:
        TABLES,
        AUDIT_TABLES,
        FIGURES,


rule datasets:
    input:
        all_manifests(),


rule models:
    input:
        all_weights(),


rule tables:
    input:
        TABLES,
        AUDIT_TABLES,


rule audit:
    input:
        AUDIT_TABLES,


rule figures:
    input:
        FIGURES,


rule regression:
    input:
        REGRESSION,


rule anomaly:
    input:
        anomaly_results(),


rule pretraining:
    input:
        table("pretraining"),
        figure("pretraining"),


rule sweep:
    input:
        sweep_files(),


rule benchmark:
    input:
        table("benchmark"),
        figure("benchmark"),
        table("training_speed"),
        table("workflow_overhead"),


rule limit:
    input:
        LIMIT,


rule network_limit:
    input:
        NETWORK_LIMIT,


rule attribution:
    input:
        ATTRIBUTION,


rule zoo:
    input:
        study_files("zoo"),


rule ablation:
    input:
        study_files("ablation"),


rule scaling:
    input:
        study_files("scaling"),


rule search:
    input:
        study_files("search"),
        table("search_trials"),
        figure("studies/search_trials"),
        figure("studies/search_parameters"),
        "results/search/best.yaml",


rule observed:
    input:
        table("observed"),
        figure("observed"),


rule export:
    input:
        exports(),
