"""Adapter of the rule benchmark_fits."""

from lensml.evaluation.speed.fits import benchmark_fits
from lensml.schema.fit import Fit
from lensml.schema.simulation import Domain
from lensml.schema.speed import FitSpeed
from lensml.schema.training import Evaluation
from lensml.workflow import job

with job(snakemake):
    given = snakemake.params
    benchmark_fits(
        [Domain.model_validate(domain) for domain in given.domains],
        Fit.model_validate(given.fit),
        FitSpeed.model_validate(given.spec),
        snakemake.output.tables,
        snakemake.output.run,
        evaluation=Evaluation.model_validate(given.evaluation),
        seed=given.seed,
    )
