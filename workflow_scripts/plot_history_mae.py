"""Adapter of the rule plot_history_mae."""

from lensml.figures import plot_history_mae
from lensml.workflow import job, style_of

with job(snakemake):
    given = snakemake.params
    plot_history_mae(
        snakemake.input.histories,
        title=given.title,
        style=style_of(given.figures),
        output=snakemake.output,
    )
