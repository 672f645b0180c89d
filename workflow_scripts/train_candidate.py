"""Adapter of the rule train_candidate."""

from lensml.evaluation.classification.search import candidate_values, judge_with
from lensml.training.classification.search import Work, train_changed
from lensml.workflow import job, results_of, setting_of, shipped_of

with job(snakemake):
    given, setting = snakemake.params, setting_of(snakemake)
    symmetry = given.start["symmetry"]
    shipped = shipped_of(given.start, given.classes)
    values = candidate_values(snakemake.input.candidates, snakemake.wildcards.candidate)
    judge = judge_with(given.validation, given.classes, symmetry, setting)
    train_changed(
        shipped.changed(values),
        shipped,
        Work(given.train, given.validation, symmetry, setting, judge),
        results_of(snakemake.output),
        snakemake.output.validation_predictions,
    )
