"""Adapter of the rule adapt_adabn."""

from lensml.schema.adaptation import AdaBn
from lensml.training.adaptation.run import adapt_adabn
from lensml.workflow import encoder_of, job, results_of, setting_of

with job(snakemake):
    given = snakemake.params
    adapt_adabn(
        given.target,
        snakemake.input.weights,
        results_of(snakemake.output),
        encoder=encoder_of(given.encoder),
        adabn=AdaBn.model_validate(given.adabn),
        num_classes=given.num_classes,
        setting=setting_of(snakemake),
    )
