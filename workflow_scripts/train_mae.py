"""Adapter of the rule train_mae."""

from lensml.schema.anomaly import Mae
from lensml.training.anomaly.mae_run import train_mae
from lensml.workflow import job, results_of, setting_of

with job(snakemake):
    given = snakemake.params
    train_mae(
        given.train,
        given.validation,
        results_of(snakemake.output),
        mae=Mae.model_validate(given.mae),
        n_train=given.n_train,
        symmetry=given.symmetry,
        setting=setting_of(snakemake),
    )
