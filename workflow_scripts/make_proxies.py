"""Adapter of the rule make_proxies."""

from lensml.evaluation.anomaly.proxies import make_proxies
from lensml.schema.anomaly import Proxies
from lensml.workflow import job

with job(snakemake):
    given = snakemake.params
    make_proxies(
        given.store,
        given.proxies,
        Proxies.model_validate(given.spec),
        seed=given.seed,
    )
