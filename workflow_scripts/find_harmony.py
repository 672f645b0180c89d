"""Adapter of the rule find_harmony."""

from lensml.data.agreement import agree_on_fitted, agree_on_known
from lensml.schema.simulation import Domain
from lensml.workflow import job

with job(snakemake):
    given, files = snakemake.params, snakemake.input
    domains = {side: Domain.model_validate(d) for side, d in given.cameras.items()}
    where = given.source_stores, given.target_pool, snakemake.output.harmony
    if "target" in domains:
        agree_on_known(domains["source"], domains["target"], *where)
    else:
        agree_on_fitted(domains["source"], files.fit[0], *where)
