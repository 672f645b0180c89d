"""Adapter of the rule regress_baselines."""

from lensml.data.targets import Target
from lensml.evaluation.regression.baselines import regress_baselines
from lensml.workflow import job, setting_of

with job(snakemake):
    given = snakemake.params
    regress_baselines(
        given.stores,
        dict(snakemake.output.items()),
        target=Target(**given.target),
        setting=setting_of(snakemake),
    )
