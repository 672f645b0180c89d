"""Adapter of the rule adapt_jointly."""

from lensml.schema.adaptation import JOINT_METHODS, AdaBn, Adda, Distortion, Joint
from lensml.training.adaptation.run import adapt_jointly
from lensml.workflow import encoder_of, job, results_of, setting_of

with job(snakemake):
    given = snakemake.params
    settings = JOINT_METHODS[snakemake.wildcards.method]
    adapt_jointly(
        snakemake.wildcards.method,
        given.source,
        given.target,
        snakemake.input.weights,
        results_of(snakemake.output),
        own=settings.model_validate(given.own),
        encoder=encoder_of(given.encoder),
        joint=Joint.model_validate(given.joint),
        distortion=Distortion.model_validate(given.distortion),
        adda=Adda.model_validate(given.adda),
        adabn=AdaBn.model_validate(given.adabn),
        num_classes=given.num_classes,
        symmetries=tuple(given.symmetries),
        setting=setting_of(snakemake),
    )
