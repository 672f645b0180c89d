"""Adapter of the rule score_autoencoder."""

from lensml.evaluation.anomaly.autoencoders import score_autoencoder
from lensml.schema.anomaly import Autoencoder
from lensml.workflow import job, scored_of, setting_of

with job(snakemake):
    given = snakemake.params
    score_autoencoder(
        scored_of(snakemake),
        snakemake.input.weights,
        method=snakemake.wildcards.method,
        autoencoder=Autoencoder.model_validate(given.autoencoder),
        setting=setting_of(snakemake),
    )
