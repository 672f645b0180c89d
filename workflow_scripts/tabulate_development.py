"""Adapter of the rule tabulate_development."""

from lensml.evaluation.adaptation.development import tabulate_development
from lensml.schema.training import Evaluation
from lensml.workflow import job

with job(snakemake):
    given = snakemake.params
    tabulate_development(
        given.rows,
        [path for path in snakemake.output if not path.endswith(".yaml")],
        snakemake.output.best,
        Evaluation.model_validate(given.evaluation),
        seed=given.seed,
    )
