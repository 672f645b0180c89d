"""Adapter of the rule benchmark_workflow."""

from lensml.evaluation.speed.workflow import benchmark_workflow
from lensml.schema.speed import WorkflowSpeed
from lensml.workflow import job

with job(snakemake):
    given = snakemake.params
    benchmark_workflow(
        given.snakefile,
        given.configs,
        domain=given.domain,
        n_stores=given.n_stores,
        spec=WorkflowSpeed.model_validate(given.spec),
        outputs=snakemake.output.tables,
        run=snakemake.output.run,
    )
