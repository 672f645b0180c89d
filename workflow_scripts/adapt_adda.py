"""Adapter of the rule adapt_adda."""

from lensml.schema.adaptation import AdaBn, Adda
from lensml.training.adaptation.run import adapt_adda
from lensml.workflow import encoder_of, job, results_of, setting_of

with job(snakemake):
    given = snakemake.params
    adapt_adda(
        given.source,
        given.target,
        snakemake.input.weights,
        results_of(snakemake.output),
        encoder=encoder_of(given.encoder),
        adda=Adda.model_validate(given.adda),
        adabn=AdaBn.model_validate(given.adabn),
        num_classes=given.num_classes,
        symmetries=tuple(given.symmetries),
        setting=setting_of(snakemake),
        snapshots=snakemake.output.get("snapshots"),
    )
