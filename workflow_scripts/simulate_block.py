"""Adapter of the rule simulate_block."""

from lensml.schema.simulation import Domain
from lensml.simulate.dataset import simulate_block
from lensml.workflow import job

with job(snakemake):
    given = dict(snakemake.params.simulation)
    simulate_block(
        snakemake.output.chunk,
        snakemake.output.part,
        domain=Domain.model_validate(given.pop("domain")),
        **given,
        **snakemake.params.images,
    )
