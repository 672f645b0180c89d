"""Adapter of the rule score_pca."""

from lensml.evaluation.baselines import score_pca
from lensml.workflow import job, setting_of

with job(snakemake):
    given = snakemake.params
    score_pca(
        given.train,
        given.test,
        {name: snakemake.output[name] for name in ("residual", "chi2")},
        classes=given.classes,
        **given.pca,
        setting=setting_of(snakemake),
    )
