"""Adapter of the rule calibrate_classifier."""

from lensml.evaluation.classification.calibration import calibrate_classifier
from lensml.workflow import job

with job(snakemake):
    calibrate_classifier(snakemake.input.validation, snakemake.output.calibration)
