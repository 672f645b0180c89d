"""Adapter of the rule measure_encoder."""

from lensml.evaluation.classification.encoder_size import measure_encoder
from lensml.workflow import encoder_of, job

with job(snakemake):
    given = snakemake.params
    measure_encoder(snakemake.output.size, encoder_of(given.encoder), img_size=given.img_size)
