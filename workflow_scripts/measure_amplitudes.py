"""Adapter of the rule measure_amplitudes."""

from lensml.fit.amplitude import measure_amplitudes
from lensml.schema.fit import Fit
from lensml.workflow import job

with job(snakemake):
    given = snakemake.params
    measure_amplitudes(
        given.proxies,
        given.smooth,
        snakemake.input.reference,
        snakemake.output.table,
        spec=Fit.model_validate(given.fit),
    )
