"""Adapter of the rule export_classifier."""

from lensml.evaluation.classification.export import export_classifier
from lensml.workflow import encoder_of, job, setting_of

with job(snakemake):
    given = snakemake.params
    export_classifier(
        given.test,
        snakemake.input.weights,
        snakemake.input.calibration,
        snakemake.output.network,
        snakemake.output.description,
        classes=given.classes,
        encoder=encoder_of(given.encoder),
        symmetry=given.symmetry,
        pixel_scale=given.pixel_scale,
        judged_by=given.judged_by,
        setting=setting_of(snakemake),
    )
