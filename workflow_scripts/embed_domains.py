"""Adapter of the rule embed_domains."""

from lensml.evaluation.adaptation.embedding import embed_domains
from lensml.workflow import encoder_of, job, setting_of

with job(snakemake):
    given = snakemake.params
    weights = {"source": snakemake.input.source_weights, "target": snakemake.input.target_weights}
    embed_domains(
        given.stores,
        weights,
        snakemake.output.table,
        domains=(snakemake.wildcards.source, snakemake.wildcards.target),
        classes=given.classes,
        encoder=encoder_of(given.encoder),
        n_embedded=given.n_embedded,
        setting=setting_of(snakemake),
    )
