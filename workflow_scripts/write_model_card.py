"""Adapter of the rule write_model_card."""

from lensml.evaluation.cards.writing import write_card
from lensml.workflow import job

with job(snakemake):
    given = snakemake.input
    write_card(
        given.weights,
        {"calibration": given.calibration, "run": given.run},
        given.table,
        {name: snakemake.output[name] for name in ("weights", "config", "card")},
        audits=list(given.get("audits", [])),
        domain=snakemake.wildcards.domain,
        encoder=snakemake.wildcards.encoder,
        seed=int(snakemake.wildcards.seed),
        **snakemake.params.network,
    )
