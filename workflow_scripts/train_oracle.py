"""Adapter of the rule train_oracle."""

from lensml.schema.adaptation import Oracle
from lensml.schema.training import ClassifierRecipe
from lensml.training.adaptation.oracle import train_oracle
from lensml.workflow import encoder_of, job, results_of, setting_of

with job(snakemake):
    given = snakemake.params
    train_oracle(
        given.train,
        given.validation,
        snakemake.input.weights,
        results_of(snakemake.output),
        encoder=encoder_of(given.encoder),
        classifier=ClassifierRecipe.model_validate(given.classifier),
        oracle=Oracle.model_validate(given.oracle),
        symmetry=given.symmetry,
        setting=setting_of(snakemake),
    )
