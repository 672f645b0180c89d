"""Adapter of the rule score_pca."""

from lensml.evaluation.anomaly.baselines import score_pca
from lensml.workflow import job, scored_of, setting_of

with job(snakemake):
    given = snakemake.params
    score_pca(
        given.train,
        scored_of(snakemake),
        **given.pca,
        setting=setting_of(snakemake),
    )
