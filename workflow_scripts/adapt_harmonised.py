"""Adapter of the rule adapt_harmonised."""

from lensml.schema.adaptation import SourceHarmonised
from lensml.training.adaptation.harmonised import adapt_to_harmonised
from lensml.workflow import adaptation_of, job, results_of

with job(snakemake):
    given = snakemake.params
    adapt_to_harmonised(
        given.source,
        given.target,
        snakemake.input.weights,
        snakemake.input.harmony,
        results_of(snakemake.output),
        own=SourceHarmonised.model_validate(given.own),
        **adaptation_of(snakemake),
    )
