# lensml: from a physics prior to the figures of a paper.
#   snakemake --cores 2                                     the default run
#   snakemake --cores 2 --configfile config/smoke.yaml      the whole of it in small, for tests
from snakemake.utils import min_version

min_version("9.27")


configfile: f"{workflow.current_basedir}/config/config.yaml"


report: "docs/captions/workflow.rst"


include: "rules/common.smk"
include: "rules/bases.smk"
include: "rules/simulate.smk"
include: "rules/fit.smk"
include: "rules/audit.smk"
include: "rules/classify.smk"
include: "rules/transfer.smk"
include: "rules/export.smk"
include: "rules/cards.smk"
include: "rules/harmonise.smk"
include: "rules/adapt.smk"
include: "rules/develop.smk"
include: "rules/anomaly.smk"
include: "rules/detectors.smk"
include: "rules/regress.smk"
include: "rules/limit.smk"
include: "rules/misspecify.smk"
include: "rules/attribute.smk"
include: "rules/studies.smk"
include: "rules/search.smk"
include: "rules/mae_studies.smk"
include: "rules/observed.smk"
include: "rules/benchmark.smk"


onstart:
    write_resolved(RESOLVED)


onsuccess:
    say_how_it_ended(well=True)


onerror:
    say_how_it_ended(well=False)


rule all:
    """Datasets, networks, audit, tables and figures of every task that the configuration lists."""
    default_target: True
    input:
        results.tables(),
        results.audit(),
        results.figures(),


rule datasets:
    """Simulated and imported images of every domain, class and split: Zarr datasets."""
    input:
        data.all_manifests(),


rule models:
    """Every network that the tasks ask for, trained: weights."""
    input:
        results.weights(),


rule tables:
    """Every table of the tasks and the audit's."""
    input:
        results.tables(),
        results.audit(),


rule audit:
    """Whether anything but substructure tells the classes of a dataset apart: a table."""
    input:
        results.audit(),


rule figures:
    """Every figure of the tasks."""
    input:
        results.figures(),
