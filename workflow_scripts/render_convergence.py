"""Adapter of the rule render_convergence."""

from lensml.evaluation.gallery import render_convergence
from lensml.workflow import job

with job(snakemake):
    given = snakemake.params
    render_convergence(
        given.stores, snakemake.output.truth, classes=given.classes, img_size=given.img_size
    )
