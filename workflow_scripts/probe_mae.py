"""Adapter of the rule probe_mae."""

from lensml.evaluation.classification.probe import probe_mae
from lensml.schema.anomaly import Mae
from lensml.workflow import job, setting_of

with job(snakemake):
    given = snakemake.params
    probe_mae(
        given.train,
        given.validation,
        given.test,
        snakemake.input.weights,
        snakemake.output.predictions,
        classes=given.classes,
        mae=Mae.model_validate(given.mae),
        n_train=given.n_train,
        n_validation=given.n_validation,
        candidates=given.candidates,
        setting=setting_of(snakemake),
    )
