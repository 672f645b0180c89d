"""Adapter of the rule score_anomalies."""

from lensml.evaluation.predict import score_anomalies
from lensml.schema.anomaly import Mae
from lensml.workflow import job, setting_of

with job(snakemake):
    given = snakemake.params
    score_anomalies(
        given.test,
        snakemake.input.weights,
        snakemake.output.scores,
        snakemake.output.examples,
        classes=given.classes,
        mae=Mae.model_validate(given.mae),
        n_masks=given.n_masks,
        pixel_scale=given.pixel_scale,
        setting=setting_of(snakemake),
    )
