"""Adapter of the rule train_variant."""

from lensml.evaluation.classification.predict import predict
from lensml.schema.training import ClassifierRecipe
from lensml.training.classification.variants import equal_steps, train_variant
from lensml.workflow import encoder_of, job, results_of, setting_of

with job(snakemake):
    given = snakemake.params
    classifier = ClassifierRecipe.model_validate(given.recipe["classifier"])
    encoder, setting = encoder_of(given.recipe["encoder"]), setting_of(snakemake)
    train_variant(
        given.train,
        given.validation,
        results_of(snakemake.output),
        encoder=encoder,
        classifier=classifier,
        symmetry=given.symmetry,
        setting=setting,
        n_train=given.n_train,
        n_validation=given.n_validation,
        steps=equal_steps(given.steps, snakemake.input.sizes),
        redraw_noise=given.redraw_noise,
        mae_weights=next(iter(snakemake.input.mae), None),
    )
    predict(
        given.validation,
        snakemake.output.weights,
        snakemake.output.validation_predictions,
        classes=given.classes,
        encoder=encoder,
        symmetry=given.symmetry if classifier.test_time_augmentation else "none",
        setting=setting,
    )
