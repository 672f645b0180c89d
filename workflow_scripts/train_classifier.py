"""Adapter of the rule train_classifier."""

from lensml.schema.training import ClassifierRecipe
from lensml.training.classification.run import train_classifier
from lensml.workflow import encoder_of, job, results_of, setting_of

with job(snakemake):
    given = snakemake.params
    train_classifier(
        given.train,
        given.validation,
        results_of(snakemake.output),
        encoder=encoder_of(given.encoder),
        classifier=ClassifierRecipe.model_validate(given.classifier),
        symmetry=given.symmetry,
        setting=setting_of(snakemake),
    )
