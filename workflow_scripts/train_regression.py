"""Adapter of the rule train_regression."""

from lensml.data.targets import Target
from lensml.schema.regression import Regression
from lensml.training.regression.run import train_regression
from lensml.workflow import encoder_of, job, results_of, setting_of

with job(snakemake):
    given = snakemake.params
    lists = {"domains": [], "encoders": ["this"]}
    train_regression(
        given.train,
        given.validation,
        next(iter(snakemake.input.get("classifier", [])), None),
        results_of(snakemake.output),
        target=Target(**given.target),
        encoder=encoder_of(given.encoder),
        regression=Regression.model_validate({**given.regression, **lists}),
        num_classes=given.num_classes,
        symmetry=given.symmetry,
        setting=setting_of(snakemake),
    )
