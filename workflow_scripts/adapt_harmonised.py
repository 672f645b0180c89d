"""Adapter of the rule adapt_harmonised."""

from lensml.schema.adaptation import AdaBn, Adda, Distortion, Joint, SourceHarmonised
from lensml.training.adaptation.harmonised import adapt_to_harmonised
from lensml.workflow import encoder_of, job, results_of, setting_of

with job(snakemake):
    given = snakemake.params
    adapt_to_harmonised(
        given.source,
        given.target,
        snakemake.input.weights,
        snakemake.input.harmony,
        results_of(snakemake.output),
        own=SourceHarmonised.model_validate(given.own),
        encoder=encoder_of(given.encoder),
        joint=Joint.model_validate(given.joint),
        distortion=Distortion.model_validate(given.distortion),
        adda=Adda.model_validate(given.adda),
        adabn=AdaBn.model_validate(given.adabn),
        num_classes=given.num_classes,
        symmetries=tuple(given.symmetries),
        setting=setting_of(snakemake),
    )
