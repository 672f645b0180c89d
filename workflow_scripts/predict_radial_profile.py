"""Adapter of the rule predict_radial_profile."""

from lensml.evaluation.classification.baselines import predict_radial_profile
from lensml.workflow import job, setting_of

with job(snakemake):
    given = snakemake.params
    predict_radial_profile(
        given.train,
        given.test,
        snakemake.output.predictions,
        classes=given.classes,
        setting=setting_of(snakemake),
    )
