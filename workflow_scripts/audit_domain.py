"""Adapter of the rule audit_domain."""

from lensml.evaluation.audit.domain import audit_domain
from lensml.schema.encoders import NetworkInput
from lensml.schema.training import Audit
from lensml.workflow import job

with job(snakemake):
    given = snakemake.params
    audit_domain(
        given.stores,
        snakemake.output.audit,
        domain=snakemake.wildcards.domain,
        classes=given.classes,
        spec=Audit.model_validate(given.audit),
        network_input=NetworkInput.model_validate(given.network_input),
        seed=given.seed,
    )
