"""Adapter of the rule select_on_test."""

from lensml.evaluation.adaptation.published_protocol import select_on_test
from lensml.workflow import encoder_of, job, setting_of

with job(snakemake):
    given = snakemake.params
    select_on_test(
        snakemake.input.snapshots,
        given.test,
        snakemake.output.weights,
        snakemake.output.selection,
        encoder=encoder_of(given.encoder),
        setting=setting_of(snakemake),
    )
