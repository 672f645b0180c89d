"""Adapter of the rule predict_fit_statistics."""

from lensml.evaluation.classification.fit_statistics import predict_fit_statistics
from lensml.workflow import job, setting_of

with job(snakemake):
    given = snakemake.params
    predict_fit_statistics(
        given.fits,
        given.test_fits,
        given.test,
        snakemake.output.predictions,
        classes=given.classes,
        setting=setting_of(snakemake),
    )
