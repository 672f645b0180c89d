"""Adapter of the rule plot_search."""

from lensml.figures import plot_search_parameters, plot_search_trials
from lensml.workflow import job, style_of

with job(snakemake):
    given, inputs = snakemake.params, snakemake.input
    style = style_of(given.figures)
    plot_search_trials(
        inputs.trials,
        inputs.importance,
        title=given.title,
        style=style,
        output=snakemake.output.trials,
    )
    plot_search_parameters(
        inputs.trials,
        inputs.importance,
        title=given.title,
        style=style,
        output=snakemake.output.parameters,
    )
