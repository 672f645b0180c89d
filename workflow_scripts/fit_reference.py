"""Adapter of the rule fit_reference."""

from lensml.fit.starts import fit_reference
from lensml.schema.simulation import Domain
from lensml.workflow import job

with job(snakemake):
    given = snakemake.params
    fit_reference(
        snakemake.output.reference,
        Domain.model_validate(given.domain),
        n=given.n_reference,
        seed=given.seed,
    )
