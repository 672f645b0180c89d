"""Adapter of the rule measure_misspecification."""

from lensml.evaluation.anomaly.misspecification import measure_misspecification
from lensml.schema.misspecification import Believed, Sample
from lensml.workflow import job

with job(snakemake):
    given = snakemake.params
    measure_misspecification(
        Believed.model_validate(given.case),
        snakemake.output.test,
        snakemake.output.validation,
        classes=given.classes,
        sample=Sample.model_validate(given.sample),
        seed=given.seed,
    )
