"""Adapter of the rule plot_study."""

from lensml.figures import plot_study
from lensml.workflow import job, style_of

with job(snakemake):
    given = snakemake.params
    plot_study(
        snakemake.wildcards.study,
        snakemake.input.table,
        snakemake.input.curves,
        title=given.title,
        style=style_of(given.figures),
        output=snakemake.output,
    )
