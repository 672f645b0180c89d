"""Adapter of the rules that predict: predict_classifier, predict_adapted and their like."""

from lensml.evaluation.classification.predict import predict
from lensml.workflow import encoder_of, job, setting_of

with job(snakemake):
    given = snakemake.params
    predict(
        given.images,
        snakemake.input.weights,
        snakemake.output.predictions,
        classes=given.classes,
        encoder=encoder_of(given.encoder),
        symmetry=given.symmetry,
        setting=setting_of(snakemake),
    )
