"""Adapter of the rule render_attribution_truth."""

from lensml.evaluation.attribution.truth import render_truth
from lensml.schema.encoders import NetworkInput
from lensml.workflow import job

with job(snakemake):
    given = snakemake.params
    render_truth(
        given.stores,
        snakemake.output.truth,
        snakemake.output.baselines,
        classes=given.classes,
        n_images=given.n_images,
        network_input=NetworkInput.model_validate(given.network_input),
    )
