"""Adapter of the rule plot_sweep."""

from lensml.figures import plot_sweep
from lensml.workflow import job, style_of

with job(snakemake):
    given = snakemake.params
    plot_sweep(
        snakemake.input.table,
        shipped=given.shipped,
        title=given.title,
        style=style_of(given.figures),
        output=snakemake.output,
    )
