"""Adapter of the rule collect_gallery."""

from lensml.evaluation.gallery import collect_gallery
from lensml.workflow import job

with job(snakemake):
    given = snakemake.params
    collect_gallery(
        given.stores,
        snakemake.output.examples,
        classes=given.classes,
        n_examples=given.n_examples,
        pixel_scale=given.pixel_scale,
    )
