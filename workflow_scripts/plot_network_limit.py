"""Adapter of the rule plot_network_limit."""

from lensml.figures import plot_efficiency, plot_limit
from lensml.workflow import job, style_of

with job(snakemake):
    inputs, output, given = snakemake.input, snakemake.output, snakemake.params
    style = style_of(given.figures)
    plot_limit(
        inputs.limit,
        title=given.title,
        style=style,
        output=output.networks,
        networks=inputs.networks,
    )
    plot_efficiency(inputs.networks, title=given.title, style=style, output=output.efficiency)
