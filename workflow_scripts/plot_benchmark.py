"""Adapter of the rule plot_benchmark."""

from lensml.figures import plot_benchmark
from lensml.workflow import job, style_of

with job(snakemake):
    style = style_of(snakemake.params.figures)
    plot_benchmark(snakemake.input.table, style=style, output=snakemake.output)
