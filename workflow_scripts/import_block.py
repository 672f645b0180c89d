"""Adapter of the rule import_block."""

from lensml.data.imported import import_block
from lensml.schema.simulation import Domain
from lensml.simulate.systems import exposure_of
from lensml.workflow import job

with job(snakemake):
    given = dict(snakemake.params.imported)
    domain = Domain.model_validate(given.pop("domain"))
    import_block(
        snakemake.output.chunk,
        snakemake.output.part,
        domain=domain,
        exposure=exposure_of(domain.instrument, seed=given["seed"]),
        **given,
        **snakemake.params.images,
    )
