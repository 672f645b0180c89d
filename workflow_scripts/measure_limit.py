"""Adapter of the rule measure_limit."""

from lensml.evaluation.limit.bounds import measure_limit
from lensml.schema.limit import Limit
from lensml.schema.simulation import Domain
from lensml.schema.training import Evaluation
from lensml.workflow import job

with job(snakemake):
    given = snakemake.params
    measure_limit(
        Domain.model_validate(given.domain),
        snakemake.output.table,
        classes=given.classes,
        spec=Limit.model_validate({"domains": "all", **given.limit}),
        evaluation=Evaluation.model_validate(given.evaluation),
        seed=given.seed,
    )
