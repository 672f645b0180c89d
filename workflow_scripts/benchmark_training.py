"""Adapter of the rule benchmark_training."""

from lensml.evaluation.speed.training import Recipes, benchmark_training
from lensml.schema.anomaly import Mae
from lensml.schema.simulation import Domain
from lensml.schema.speed import TrainingSpeed
from lensml.schema.training import ClassifierRecipe
from lensml.workflow import encoder_of, job, setting_of

with job(snakemake):
    given = snakemake.params
    benchmark_training(
        Domain.model_validate(given.domain),
        given.n_classes,
        Recipes(
            classifier=ClassifierRecipe.model_validate(given.classifier),
            encoders={name: encoder_of(e) for name, e in given.encoders.items()},
            mae=Mae.model_validate(given.mae),
        ),
        TrainingSpeed.model_validate(given.spec),
        snakemake.output.tables,
        snakemake.output.run,
        confidence=given.confidence,
        setting=setting_of(snakemake),
    )
