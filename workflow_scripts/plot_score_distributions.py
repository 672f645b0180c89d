"""Adapter of the rule plot_score_distributions."""

from lensml.figures import plot_score_distributions
from lensml.workflow import job, style_of

with job(snakemake):
    given = snakemake.params
    plot_score_distributions(
        given.runs,
        title=given.title,
        style=style_of(given.figures),
        output=snakemake.output,
    )
