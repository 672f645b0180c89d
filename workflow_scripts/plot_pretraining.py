"""Adapter of the rule plot_pretraining."""

from lensml.figures import plot_pretraining
from lensml.workflow import job, style_of

with job(snakemake):
    given = snakemake.params
    plot_pretraining(
        snakemake.input.table,
        title=given.title,
        style=style_of(given.figures),
        output=snakemake.output,
    )
