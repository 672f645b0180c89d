"""Adapter of the rule find_harmony."""

from lensml.data.agreement import agree_on_fitted, agree_on_known
from lensml.schema.simulation import Domain
from lensml.workflow import job

with job(snakemake):
    given, output = snakemake.params, snakemake.output
    domains = {side: Domain.model_validate(d) for side, d in given.cameras.items()}
    images = given.source_stores, given.target_pool
    if "target" in domains:
        agree_on_known(domains["source"], domains["target"], *images, output.harmony)
    else:
        agree_on_fitted(domains["source"], *images, output.harmony, output.fit, seed=given.seed)
