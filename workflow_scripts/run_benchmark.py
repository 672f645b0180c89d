"""Adapter of the rule run_benchmark."""

from lensml.evaluation.speed.rendering import run_benchmark
from lensml.schema.encoders import NetworkInput
from lensml.schema.simulation import Domain
from lensml.schema.training import Benchmark
from lensml.workflow import job

with job(snakemake):
    given = snakemake.params
    run_benchmark(
        [Domain.model_validate(domain) for domain in given.domains],
        given.substructures,
        Benchmark.model_validate(given.benchmark),
        NetworkInput.model_validate(given.network_input),
        snakemake.output.tables,
        snakemake.output.run,
        precision=given.precision,
        seed=given.seed,
    )
