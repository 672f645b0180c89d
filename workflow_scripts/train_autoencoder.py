"""Adapter of the rule train_autoencoder."""

from lensml.schema.anomaly import Autoencoder
from lensml.training.anomaly.autoencoder_run import train_autoencoder
from lensml.workflow import job, results_of, setting_of

with job(snakemake):
    given = snakemake.params
    train_autoencoder(
        given.train,
        given.validation,
        results_of(snakemake.output),
        method=snakemake.wildcards.method,
        autoencoder=Autoencoder.model_validate(given.autoencoder),
        symmetry=given.symmetry,
        setting=setting_of(snakemake),
    )
