"""Adapter of the rule measure_limit."""

from lensml.evaluation.limit.bounds import measure_limit
from lensml.schema.limit import Bounds
from lensml.schema.simulation import Domain
from lensml.schema.training import Evaluation
from lensml.workflow import job

with job(snakemake):
    given = snakemake.params
    measure_limit(
        Domain.model_validate(given.domain),
        snakemake.output.table,
        classes=given.classes,
        spec=Bounds.model_validate(given.bounds),
        evaluation=Evaluation.model_validate(given.evaluation),
        seed=given.seed,
    )
