"""How many optimisation steps a recipe has, and how many cost as much as another's."""

from __future__ import annotations

from lensml.schema.training import ClassifierRecipe


def steps_per_epoch(n: int, batch_size: int) -> int:
    """Batches of one pass over ``n`` items; what is left over waits for the next pass."""
    return max(n // min(batch_size, n), 1)


def steps_of(recipe: ClassifierRecipe, *, n_train: int, n_classes: int) -> int:
    """Steps of a classifier's epochs.

    Args:
        recipe: how it is trained.
        n_train: images per class.
        n_classes: number of classes.
    """
    if recipe.paired_batches:
        return recipe.epochs * steps_per_epoch(n_train, max(recipe.batch_size // n_classes, 1))
    return recipe.epochs * steps_per_epoch(n_train * n_classes, recipe.batch_size)


def steps_at_equal_cost(steps: float, *, cost: float, reference_cost: float) -> int:
    """Steps that cost as much as ``steps`` of a reference; one at least.

    Args:
        steps: of the reference.
        cost: of one step.
        reference_cost: of one step of the reference, in the same unit.
    """
    return max(round(steps * reference_cost / cost), 1)
