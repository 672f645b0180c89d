"""Adapter of the rule map_classifier."""

from lensml.evaluation.attribution.maps import map_classifier
from lensml.schema.attribution import MapSpec
from lensml.workflow import encoder_of, job, setting_of

with job(snakemake):
    given, files = snakemake.params, snakemake.input
    map_classifier(
        given.test,
        files.truth,
        files.weights,
        files.predictions,
        snakemake.output.scores,
        snakemake.output.examples,
        classes=given.classes,
        encoder=encoder_of(given.encoder),
        spec=MapSpec.model_validate(given.maps),
        symmetry=given.symmetry,
        setting=setting_of(snakemake),
    )
