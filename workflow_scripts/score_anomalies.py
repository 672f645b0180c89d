"""Adapter of the rule score_anomalies."""

from lensml.evaluation.anomaly.mae import score_anomalies
from lensml.schema.anomaly import Scoring
from lensml.workflow import job, scored_of, setting_of

with job(snakemake):
    given = snakemake.params
    score_anomalies(
        scored_of(snakemake),
        given.reference,
        snakemake.input.weights,
        snakemake.output.examples,
        scoring=Scoring.model_validate(given.scoring),
        pixel_scale=given.pixel_scale,
        setting=setting_of(snakemake),
    )
