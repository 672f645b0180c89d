"""What a regression must beat: the training set's own Gaussian, and the trivial features."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from lensml.data.targets import Target
from lensml.evaluation.classification.baselines import profiles
from lensml.evaluation.statistics.predictions import write_regression
from lensml.training.engine.setting import Setting

ALPHAS = np.logspace(-1, 5, 13)  # of the ridge, of which leave-one-out on training images chooses


def ridge_model() -> Pipeline:
    """Quadratic ridge regression on rings and azimuthal moments."""
    return make_pipeline(
        StandardScaler(),
        PolynomialFeatures(2, include_bias=False),
        StandardScaler(),
        RidgeCV(ALPHAS),
    )


def regress_baselines(
    stores: dict[str, str], outputs: dict[str, str], *, target: Target, setting: Setting
) -> None:
    """Predict without a network.

    ``prior`` gives every image the mean and the standard deviation of the training set;
    ``radial_profile`` is a ridge regression on the features of the classifiers' baseline, whose
    standard deviation is the root mean square of its residuals on validation images.

    Args:
        stores: of the class in the splits ``train``, ``val`` and ``test``.
        outputs: predictions.csv of ``prior`` and of ``radial_profile``.
        target: what is regressed.
        setting: see :class:`lensml.training.engine.setting.Setting`.
    """
    images = {split: setting.arrays([store]) for split, store in stores.items()}
    values = {split: target.values(store) for split, store in stores.items()}
    n = len(values["test"])
    prior = np.full(n, values["train"].mean()), np.full(n, values["train"].std())
    features = {split: profiles(x) for split, x in images.items()}
    model = ridge_model().fit(features["train"], values["train"])
    residual = values["val"] - model.predict(features["val"])
    ridge = model.predict(features["test"]), np.full(n, np.sqrt(np.square(residual).mean()))
    for name, (mean, std) in {"prior": prior, "radial_profile": ridge}.items():
        given = {"truth": values["test"], "mean": mean, "std_raw": std, "std": std}
        write_regression(outputs[name], images["test"], **given)
