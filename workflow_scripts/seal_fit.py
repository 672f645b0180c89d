"""Adapter of the rule seal_fit."""

from lensml.fit.store import seal_fit
from lensml.schema.fit import Fit
from lensml.workflow import job

with job(snakemake):
    given = snakemake.params
    seal_fit(given.images, given.store, snakemake.input.parts, spec=Fit.model_validate(given.fit))
