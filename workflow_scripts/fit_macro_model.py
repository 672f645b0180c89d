"""Adapter of the rule fit_macro_model."""

from lensml.evaluation.anomaly.macro_fit import fit_store
from lensml.schema.anomaly import SmoothFit
from lensml.workflow import job, setting_of

with job(snakemake):
    given = snakemake.params
    fit_store(
        given.fitted,
        given.train,
        snakemake.output.fits,
        SmoothFit.model_validate(given.spec),
        setting_of(snakemake),
    )
