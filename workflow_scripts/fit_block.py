"""Adapter of the rules that fit blocks: fit_block and fit_training_block."""

from lensml.fit.store import fit_block
from lensml.schema.fit import Fit
from lensml.workflow import job

with job(snakemake):
    given = snakemake.params
    fit_block(
        given.images,
        snakemake.input.reference,
        given.store,
        snakemake.output.part,
        spec=Fit.model_validate(given.fit),
        **given.block,
    )
