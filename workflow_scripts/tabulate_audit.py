"""Adapter of the rule tabulate_audit."""

from lensml.evaluation.audit.table import tabulate_audit
from lensml.workflow import job

with job(snakemake):
    tabulate_audit(snakemake.input.audits, snakemake.output)
