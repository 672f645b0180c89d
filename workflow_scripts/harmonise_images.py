"""Adapter of the rule harmonise_images."""

from lensml.data.harmonise import Harmony, harmonise_store
from lensml.workflow import job

with job(snakemake):
    given = snakemake.params
    harmony = Harmony.read(snakemake.input.harmony)
    side = snakemake.wildcards.side
    harmonise_store(given.images, given.store, harmony, side=side, seed=given.seed)
