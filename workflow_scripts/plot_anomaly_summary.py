"""Adapter of the rule plot_anomaly_summary."""

from lensml.figures import plot_anomaly_summary
from lensml.workflow import job, style_of

with job(snakemake):
    given = snakemake.params
    plot_anomaly_summary(
        snakemake.input.table,
        domain=given.domain,
        style=style_of(given.figures),
        output=snakemake.output,
    )
