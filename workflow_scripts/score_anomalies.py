"""Adapter of the rule score_anomalies."""

from lensml.evaluation.predict import score_anomalies
from lensml.schema.anomaly import Scoring
from lensml.workflow import job, setting_of

with job(snakemake):
    given = snakemake.params
    score_anomalies(
        given.test,
        given.reference,
        snakemake.input.weights,
        dict(zip(given.scores, snakemake.output.scores, strict=True)),
        snakemake.output.examples,
        classes=given.classes,
        scoring=Scoring.model_validate(given.scoring),
        pixel_scale=given.pixel_scale,
        setting=setting_of(snakemake),
    )
