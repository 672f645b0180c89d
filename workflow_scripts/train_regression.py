"""Adapter of the rule train_regression."""

from lensml.data.targets import Target
from lensml.schema.regression import RegressionRecipe
from lensml.training.regression.run import train_regression
from lensml.workflow import encoder_of, job, results_of, setting_of

with job(snakemake):
    given = snakemake.params
    train_regression(
        given.train,
        given.validation,
        next(iter(snakemake.input.get("classifier", [])), None),
        results_of(snakemake.output),
        target=Target(**given.target),
        encoder=encoder_of(given.encoder),
        regression=RegressionRecipe.model_validate(given.regression),
        num_classes=given.num_classes,
        symmetry=given.symmetry,
        setting=setting_of(snakemake),
    )
