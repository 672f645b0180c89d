"""Adapter of the rule measure_criteria."""

from lensml.evaluation.adaptation.evidence import measure_criteria
from lensml.workflow import encoder_of, job, setting_of

with job(snakemake):
    given = snakemake.params
    measure_criteria(
        snakemake.input.weights,
        given.source,
        given.target,
        snakemake.output.criteria,
        encoder=encoder_of(given.encoder),
        setting=setting_of(snakemake),
    )
