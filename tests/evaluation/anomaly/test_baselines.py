"""Principal components and brightness as baselines, and the ceiling."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from toy.stores import EXPOSURE, NETWORK_INPUT, RMS, blobs, noise, setting, write_store
from toy.tables import CLASSES

from lensml.data.torch_dataset import Images
from lensml.evaluation.anomaly.baselines import score_pca, score_supervised, score_total_flux
from lensml.evaluation.statistics.predictions import Scored, write_predictions

pytestmark = pytest.mark.usefixtures("one_torch_thread")


def images_of(stores: Sequence[str], **options: Any) -> Images:
    return Images(stores, NETWORK_INPUT, max_memory_fraction=0.5, **options)


def test_pca_flags_images_off_the_manifold(tmp_path):
    rng = np.random.default_rng(0)
    pattern = rng.normal(size=(3, 16, 16))  # on the network's scale

    def store(name: str, n: int, *, off: float) -> str:
        stretched = np.tensordot(rng.normal(size=(n, 3)), pattern, 1)
        stretched += off * rng.normal(size=(n, 16, 16))
        images = np.sinh(stretched * NETWORK_INPUT.scale) * RMS * NETWORK_INPUT.noise_units
        return write_store(tmp_path / f"{name}.zarr", images)

    train = store("train", 40, off=0)
    test = [store("flat", 20, off=0), store("off", 20, off=0.1)]
    output = str(tmp_path / "scores.csv")
    score_pca(
        train,
        [Scored(test, CLASSES[:2], {"residual": output, "chi2": str(tmp_path / "chi2.csv")})],
        n_components=3,
        n_images=1000,
        setting=setting(tmp_path),
    )
    table = pd.read_csv(output)
    on, off = (table.loc[table["label"] == c, "score"] for c in CLASSES[:2])
    assert on.max() < 1e-6
    # The residual of noise of variance 0.01 in all but 3 of 256 directions.
    assert off.mean() == pytest.approx(0.01 * 253 / 256, rel=0.1)
    assert off.min() > on.max()


def test_pca_takes_as_many_components_and_images_as_it_is_told(tmp_path):
    rng = np.random.default_rng(0)
    train = write_store(tmp_path / "train.zarr", blobs(30, rng))
    test = [write_store(tmp_path / "test.zarr", blobs(10, rng))]

    def residual(n_components: int, n_images: int) -> float:
        output = str(tmp_path / "scores.csv")
        score_pca(
            train,
            [Scored(test, CLASSES[:1], {"residual": output, "chi2": str(tmp_path / "chi2.csv")})],
            n_components=n_components,
            n_images=n_images,
            setting=setting(tmp_path),
        )
        return pd.read_csv(output)["score"].to_numpy().mean()

    assert residual(1, 30) > residual(3, 30) > residual(6, 30)
    assert residual(6, 8) != residual(6, 30)
    assert residual(100, 5) == residual(4, 5)  # five images span four components


def test_pca_s_chi2_is_in_units_of_every_pixel_s_noise(tmp_path):
    rng = np.random.default_rng(0)
    pattern = np.abs(rng.normal(size=(1, 16, 16))) * 30 * RMS

    def store(name: str) -> tuple[str, np.ndarray]:
        flux = rng.uniform(0.5, 1.5, (400, 1, 1)) * pattern
        seen = flux + rng.normal(0, np.sqrt(RMS**2 + flux / EXPOSURE))
        estimated = RMS**2 + np.maximum(seen, 0) / EXPOSURE
        return write_store(tmp_path / f"{name}.zarr", seen), (seen - flux) ** 2 / estimated

    (train, _), (test, expected), chi2 = store("train"), store("test"), str(tmp_path / "chi2.csv")
    score_pca(
        train,
        [Scored([test], CLASSES[:1], {"residual": str(tmp_path / "residual.csv"), "chi2": chi2})],
        n_components=1,
        n_images=1000,
        setting=setting(tmp_path),
    )
    # One component takes one of 256 degrees of freedom, and its own noise adds 1 / 400 or so.
    found = pd.read_csv(chi2)["score"].to_numpy()
    assert found.mean() == pytest.approx(expected.mean(), rel=0.01)
    np.testing.assert_allclose(found, expected.mean((1, 2)), rtol=0.1)


def test_total_flux_is_the_sum_over_the_background(tmp_path):
    rng = np.random.default_rng(0)
    base = blobs(1, rng)[0]
    factors = np.array([0.5, 1.0, 2.0, 8.0])
    rms = np.array([0.1, 0.2, 0.1, 0.3])
    images = factors[:, None, None] * base
    stores = [
        write_store(tmp_path / "a.zarr", images),
        write_store(tmp_path / "b.zarr", images, truth={"background_rms": rms}),
    ]
    output = str(tmp_path / "scores.csv")
    few = Scored(stores, CLASSES[:2], {"flux": str(tmp_path / "few.csv")}, limit=2)
    scored = [Scored(stores, CLASSES[:2], {"flux": output}), few]
    score_total_flux(scored, setting=setting(tmp_path))
    table = pd.read_csv(output)
    score = table["score"].to_numpy()
    for i, k in itertools.product(range(4), range(2)):
        flux = sum(images[i].ravel().tolist()) / (rms[i] if k else RMS)
        assert score[4 * k + i] == pytest.approx(flux, rel=1e-4)
    assert (np.diff(score[:4]) > 0).all()
    first = pd.read_csv(few.outputs["flux"])
    assert first.equals(table.iloc[[0, 1, 4, 5]].reset_index(drop=True))
    assert table["label"].tolist() == ["no_sub"] * 4 + ["cdm"] * 4
    assert table["index"].tolist() == [0, 1, 2, 3] * 2


def test_the_ceiling_of_anomaly_detection_is_the_classifier_s_probability(tmp_path):
    rng = np.random.default_rng(0)
    stores = [
        write_store(tmp_path / name / "test.zarr", noise(4, rng), substructure=name)
        for name in CLASSES
    ]
    images = images_of(stores)
    p = rng.dirichlet(np.ones(3), 12)
    path, output = str(tmp_path / "predictions.csv"), str(tmp_path / "scores.csv")
    write_predictions(path, p, images, CLASSES)
    score_supervised(path, stores, output, classes=CLASSES, setting=setting(tmp_path))
    table = pd.read_csv(output)
    np.testing.assert_allclose(table["score"], p[:, 1] + p[:, 2], rtol=1e-6)
    assert table["label"].tolist() == np.repeat(CLASSES, 4).tolist()
    with pytest.raises(ValueError, match="predictions are of other images"):
        score_supervised(path, stores[:2], output, classes=CLASSES[:2], setting=setting(tmp_path))
