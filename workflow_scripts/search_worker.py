"""Adapter of the rule search_worker."""

from lensml.evaluation.classification.search import judge_with
from lensml.schema.search import Search
from lensml.training.classification.search import Work, run_worker
from lensml.workflow import job, setting_of, shipped_of

with job(snakemake):
    given, setting = snakemake.params, setting_of(snakemake)
    symmetry = given.start["symmetry"]
    judge = judge_with(given.validation, given.classes, symmetry, setting)
    run_worker(
        int(snakemake.wildcards.worker),
        Search.model_validate(given.search),
        shipped_of(given.start, given.classes),
        Work(given.train, given.validation, symmetry, setting, judge),
        root="state/search/studies",
        record=snakemake.output.record,
    )
