"""Adapter of the rule score_observed."""

from lensml.data.observed import Grid
from lensml.evaluation.domain.cutouts import CutoutJudge
from lensml.evaluation.observed import Networks, score_observed
from lensml.schema.anomaly import Scoring
from lensml.schema.fit import Fit
from lensml.schema.observed import ObservedLens
from lensml.schema.simulation import Domain
from lensml.workflow import encoder_of, job, setting_of

with job(snakemake):
    given, files = snakemake.params, snakemake.input
    judge = given.domain and CutoutJudge.of(
        Domain.model_validate(given.domain),
        given.classes,
        Fit.model_validate(given.fit),
        given.verdicts,
        seed=given.seed,
    )
    score_observed(
        {name: ObservedLens.model_validate(lens) for name, lens in given.lenses.items()},
        given.train,
        given.validation,
        Networks(
            classifiers=dict(zip(files.classifiers, files.calibrations, strict=True)),
            encoder=encoder_of(given.encoder),
            classes=given.classes,
            symmetry=given.symmetry,
            detectors=files.detectors,
            scoring=Scoring.model_validate(given.scoring),
            score=given.score,
        ),
        snakemake.output.outputs,
        snakemake.output.examples,
        grid=Grid(**given.grid),
        judge=judge,
        n_reference=given.n_reference,
        setting=setting_of(snakemake),
    )
