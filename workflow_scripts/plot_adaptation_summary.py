"""Adapter of the rule plot_adaptation_summary."""

from lensml.figures import plot_adaptation_summary
from lensml.workflow import job, style_of

with job(snakemake):
    given = snakemake.params
    plot_adaptation_summary(
        snakemake.input.table,
        source_domain=given.domains[0],
        target_domain=given.domains[1],
        style=style_of(given.figures),
        output=snakemake.output,
    )
