"""Adapter of the rule predict_regression."""

from lensml.data.targets import Target
from lensml.evaluation.regression.predict import predict_regression
from lensml.workflow import encoder_of, job, setting_of

with job(snakemake):
    given = snakemake.params
    predict_regression(
        given.validation,
        given.test,
        snakemake.input.weights,
        snakemake.output.predictions,
        target=Target(**given.target),
        encoder=encoder_of(given.encoder),
        symmetry=given.symmetry,
        setting=setting_of(snakemake),
    )
