"""Adapter of the rule train_classifier."""

from lensml.schema.training import Classifier
from lensml.training.classification.run import train_classifier
from lensml.workflow import encoder_of, job, results_of, setting_of

with job(snakemake):
    given = snakemake.params
    lists = {"domains": ["this"], "encoders": ["this"], "seeds": [given.setting["seed"]]}
    train_classifier(
        given.train,
        given.validation,
        results_of(snakemake.output),
        encoder=encoder_of(given.encoder),
        classifier=Classifier.model_validate({**given.classifier, **lists}),
        symmetry=given.symmetry,
        setting=setting_of(snakemake),
    )
