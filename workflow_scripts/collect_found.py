"""Adapter of the rule collect_found."""

from lensml.evaluation.anomaly.found import collect_found
from lensml.workflow import job

with job(snakemake):
    given = snakemake.params
    collect_found(
        given.stores,
        given.fits,
        snakemake.output.examples,
        classes=given.classes,
        n_examples=given.n_examples,
    )
