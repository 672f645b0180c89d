"""Adapter of the rule seal_dataset."""

from lensml.schema.simulation import Domain
from lensml.simulate.dataset import seal_dataset
from lensml.workflow import job

with job(snakemake):
    given = dict(snakemake.params.simulation)
    seal_dataset(
        snakemake.params.store,
        snakemake.input.parts,
        domain=Domain.model_validate(given.pop("domain")),
        n_images=snakemake.params.n_images,
        **given,
    )
