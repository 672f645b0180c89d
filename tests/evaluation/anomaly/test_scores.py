"""What the scores of a masked autoencoder measure, and what is left without brightness."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest
import torch
from toy.configuration import load_varied
from toy.stores import EXPOSURE, IN_MEMORY, NETWORK_INPUT, RMS, blobs, noise, write_store

from lensml.data.images import unstretch
from lensml.data.torch_dataset import Images
from lensml.evaluation.anomaly.metrics import anomaly_metrics, without_brightness
from lensml.evaluation.anomaly.scores import (
    MASK_SEED,
    Restored,
    anomaly_score,
    restore,
    score_masks,
)
from lensml.evaluation.statistics.predictions import write_scores
from lensml.models.mae import MaskedAutoencoder, complementary_masking
from lensml.schema import ConfigError
from lensml.schema.anomaly import COMPARING, Anomaly, Score
from lensml.schema.training import Evaluation
from lensml.training.engine.order import step_generator

EVALUATION = Evaluation(
    n_bootstrap=200,
    confidence=0.95,
    false_positive_rates=[0.1],
    calibration_bins=5,
    n_embedded=10,
)

pytestmark = pytest.mark.usefixtures("one_torch_thread")


@pytest.fixture(scope="module")
def spec() -> Anomaly:
    anomaly = load_varied().anomaly
    sizes = {"patch_size": 4, "embed_dim": 16, "depth": 1, "num_heads": 2}
    decoder = {"decoder_embed_dim": 8, "decoder_depth": 1, "decoder_num_heads": 2}
    mae = anomaly.mae.model_copy(update={**sizes, **decoder, "loss": "pixel"})
    reference = anomaly.reference.model_copy(update={"n_components": 3, "n_neighbours": 2})
    return anomaly.model_copy(
        update={"mae": mae, "n_masks": 3, "worst_patches": 2, "reference": reference}
    )


@pytest.fixture
def images(tmp_path: Path) -> Images:
    rng = np.random.default_rng(0)
    truth = {"theta_E_total": np.linspace(1, 1.6, 7)}
    store = write_store(tmp_path / "test.zarr", 20 * blobs(7, rng) + noise(7, rng), truth=truth)
    return Images([store], NETWORK_INPUT, max_memory_fraction=IN_MEMORY)


def autoencoder(spec: Anomaly) -> MaskedAutoencoder:
    torch.manual_seed(0)
    return MaskedAutoencoder(spec.mae, 16).eval()


def test_every_pixel_is_hidden_once_by_complementary_masks():
    for ratio, parts in ((0.5, 2), (0.25, 4), (0.3, 3), (0.75, 2), (0.9, 2)):
        masks = complementary_masking(16, ratio, step_generator(0, 0))
        assert len(masks) == parts
        assert torch.stack([m.mask for m in masks]).sum(0).eq(1).all()
        for m in masks:
            kept = torch.zeros(16).scatter(0, m.ids_keep[0], 1)
            assert torch.equal(kept, 1 - m.mask[0])
            order = torch.cat([m.ids_keep[0], m.mask[0].nonzero()[:, 0]])
            assert torch.equal(order[m.ids_restore[0]], torch.arange(16))


@pytest.mark.parametrize("masks", ["random", "complementary"])
def test_masks_of_scores_are_those_that_are_asked_for_and_none_of_training(spec, masks):
    found = score_masks(spec.model_copy(update={"masks": masks, "n_masks": 4}), 16)
    assert len(found) == 4
    assert len({tuple(m.mask[0].tolist()) for m in found}) == 4
    assert all(m.mask.mean() == 0.5 for m in found)
    again = score_masks(spec.model_copy(update={"masks": masks, "n_masks": 4}), 16)
    assert all(torch.equal(a.mask, b.mask) for a, b in zip(found, again, strict=True))


def test_masks_behind_scores_are_never_those_of_training():
    def draw(*key: int) -> float:
        return torch.rand(1, generator=step_generator(*key)).item()

    training = {draw(0, step, purpose) for step in range(20) for purpose in range(3)}
    assert training.isdisjoint({draw(MASK_SEED, k) for k in range(8)})


@pytest.mark.parametrize("loss", ["pixel", "norm_pix", "chi2"])
def test_errors_of_hidden_pixels_by_hand(spec, images, loss):
    mae = spec.mae.model_copy(update={"loss": loss})
    spec = spec.model_copy(update={"mae": mae})
    model, masks = autoencoder(spec), score_masks(spec, 16)
    found = restore(model, images, masks)
    for i in range(len(images)):
        x = images.batch(np.array([i]))
        patches = model.patchify(x)[0].numpy()
        flux = unstretch(patches.astype(float), NETWORK_INPUT)
        sigma = np.sqrt(1 + np.maximum(flux, 0) / (RMS * EXPOSURE))
        chi2, mse, left = [], [], [[] for _ in range(16)]
        for mask in masks:
            with torch.no_grad():
                error, prediction = model(x, mask)
                shown = model.on_scale(prediction, model.patchify(x))[0].numpy()
            mse.append(error.item())
            residual = (flux - unstretch(shown.astype(float), NETWORK_INPUT)) / sigma
            hidden = np.flatnonzero(mask.mask[0].numpy())
            chi2.append(np.mean(residual[hidden] ** 2))
            for patch in hidden:
                left[patch].append(residual[patch])
        assert found.mse[i] == pytest.approx(np.mean(mse), rel=1e-5)
        assert found.chi2[i] == pytest.approx(np.mean(chi2), rel=1e-4)
        mean = [np.mean(r, 0) if r else np.zeros(16) for r in left]
        np.testing.assert_allclose(found.residual[i], mean, rtol=1e-3, atol=1e-4)


def noise_at_first_order(images: Images, index: np.ndarray) -> np.ndarray:
    """By the difference quotient of the stretch instead of its derivative."""
    spec, step = images.network_input, 1e-4
    flux = unstretch(images.batch(index)[:, 0].numpy().astype(float), spec)
    asinh = [np.arcsinh((flux + d) / spec.noise_units) / spec.scale for d in (-step, step)]
    return images.noise_rms(flux, index) * (asinh[1] - asinh[0]) / (2 * step)


def test_noise_on_the_network_s_scale_goes_through_the_stretch(images):
    index = np.array([5, 0, 3])
    found = images.noise_on_scale(images.batch(index), index)
    assert found.shape == (3, 1, 16, 16)
    np.testing.assert_allclose(found[:, 0], noise_at_first_order(images, index), rtol=1e-4)


def test_noise_of_a_linear_scale_is_that_of_the_camera(tmp_path):
    linear = NETWORK_INPUT.model_copy(update={"stretch": "linear"})
    store = write_store(tmp_path / "test.zarr", blobs(3, np.random.default_rng(0)))
    images = Images([store], linear, max_memory_fraction=IN_MEMORY)
    index = np.arange(3)
    x = images.batch(index)
    expected = images.noise_rms(unstretch(x.numpy(), linear), index) / 10  # noise_units scale
    np.testing.assert_allclose(images.noise_on_scale(x, index), expected, rtol=1e-5)


def test_noise_has_no_scale_where_fluxes_are_lost(tmp_path):
    lost = NETWORK_INPUT.model_copy(update={"stretch": "per_image_max"})
    store = write_store(tmp_path / "test.zarr", blobs(3, np.random.default_rng(0)))
    images = Images([store], lost, max_memory_fraction=IN_MEMORY)
    with pytest.raises(ValueError, match="'per_image_max': noise has no scale"):
        images.noise_on_scale(images.batch(np.arange(3)), np.arange(3))


def test_an_image_scores_the_same_wherever_it_stands(spec, tmp_path):
    image = blobs(1, np.random.default_rng(0))
    store = write_store(tmp_path / "test.zarr", np.repeat(image, 260, 0))
    one = Images([store], NETWORK_INPUT, max_memory_fraction=IN_MEMORY)
    model = autoencoder(spec)
    found = restore(model, one, score_masks(spec, 16))
    for values in found:  # across batches too
        np.testing.assert_allclose(values, np.repeat(values[:1], 260, 0), rtol=1e-4, atol=1e-5)


def restored(residual: np.ndarray, embedding: np.ndarray | None = None) -> Restored:
    n = len(residual)
    blank = np.zeros((n, 2)) if embedding is None else embedding
    return Restored(np.arange(n) + 0.5, np.arange(n) + 1.5, residual, blank)


def test_scores_of_the_residual(spec):
    residual = np.zeros((2, 4, 4), np.float32)
    residual[1, 0], residual[1, 2] = 2, 3
    found = restored(residual)
    assert anomaly_score("mse", found, None, spec).tolist() == [0.5, 1.5]
    assert anomaly_score("chi2", found, None, spec).tolist() == [1.5, 2.5]
    assert anomaly_score("mean_chi2", found, None, spec).tolist() == [0, 13 / 4]
    assert anomaly_score("worst_patches", found, None, spec).tolist() == [0, 13 / 2]


def test_the_likelihood_is_that_of_a_gaussian_with_the_reference_s_covariance(spec):
    rng = np.random.default_rng(0)
    pattern = rng.normal(size=(3, 16))

    def draw(n: int) -> np.ndarray:
        return 5 * rng.normal(size=(n, 3)) @ pattern + rng.normal(size=(n, 16))

    reference, x = draw(4000), draw(30)
    covariance = 25 * pattern.T @ pattern + np.eye(16)
    terms = np.einsum("ni,ij,nj->n", x, np.linalg.inv(covariance), x)
    expected = (terms + np.linalg.slogdet(2 * np.pi * covariance)[1]) / 2
    found = anomaly_score(
        "likelihood", restored(x.reshape(-1, 4, 4)), restored(reference.reshape(-1, 4, 4)), spec
    )
    np.testing.assert_allclose(found, expected, atol=1.5)  # of a covariance from 4000 draws
    # What the reference's residuals do not hold weighs more than the same along their pattern.
    along, across = (
        pattern[:1] * 5,
        np.linalg.svd(pattern)[2][-1:] * np.linalg.norm(pattern[0]) * 5,
    )
    pair = restored(np.concatenate([along, across]).reshape(-1, 4, 4))
    score = anomaly_score("likelihood", pair, restored(reference.reshape(-1, 4, 4)), spec)
    assert score[1] > score[0] + 10


def test_distances_in_the_embedding(spec):
    rng = np.random.default_rng(0)
    reference = rng.normal(size=(5000, 2)) * [1, 10]
    points = np.array([[0.0, 0], [3, 0], [0, 30], [3, 30]])
    blank, nothing = np.zeros((4, 4, 4)), np.zeros((5000, 4, 4))
    found = anomaly_score(
        "mahalanobis", restored(blank, points), restored(nothing, reference), spec
    )
    np.testing.assert_allclose(found, [0, 3, 3, 3 * np.sqrt(2)], atol=0.2)
    near = anomaly_score(
        "nearest_neighbours", restored(blank, points), restored(nothing, reference), spec
    )
    by_hand = np.sort(np.linalg.norm(points[:, None] - reference, axis=2), 1)[:, :2].mean(1)
    np.testing.assert_allclose(near, by_hand, rtol=1e-6)


@pytest.mark.parametrize("score", get_args(Score))
def test_scores_that_compare_need_something_to_compare_with(spec, score):
    found = restored(np.random.default_rng(0).normal(size=(3, 4, 4)))
    if score in COMPARING:
        with pytest.raises(ValueError, match=f"{score} compares with images without substructure"):
            anomaly_score(score, found, None, spec)
    else:
        assert np.isfinite(anomaly_score(score, found, None, spec)).all()


def test_a_score_that_is_brightness_is_nothing_without_it():
    rng = np.random.default_rng(0)
    n = 2000
    flux, radius = rng.normal(5, 1, 2 * n), rng.normal(1.3, 0.1, 2 * n)
    label = np.repeat([0, 1], n)
    flux += label  # the class with substructure is brighter
    covariates, normal = np.stack([flux, radius], 1), label == 0
    bright = flux**2 + 3 * radius + 0.1 * rng.normal(size=2 * n)
    rest = without_brightness(bright, covariates, normal)
    assert abs(np.mean(rest[n:, None] > rest[None, :n]) - 0.5) < 0.05
    real = bright + 0.3 * label
    rest = without_brightness(real, covariates, normal)
    # Means 0.3 apart, spread 0.1: nearly all is kept.
    assert np.mean(rest[n:, None] > rest[None, :n]) > 0.95


def test_scores_are_written_with_flux_and_einstein_radius(images, tmp_path):
    path = str(tmp_path / "scores.csv")
    write_scores(path, np.array([3.0, 1, 4, 1, 5, 9, 2]), images, ["no_sub"])
    table = pd.read_csv(path)
    assert table["theta_E_total"].tolist() == pytest.approx(np.linspace(1, 1.6, 7).tolist())
    flux = unstretch(images.rows(np.arange(7)), NETWORK_INPUT).sum((1, 2))
    np.testing.assert_allclose(table["flux"], flux, rtol=1e-5)
    table = pd.concat([table] * 20, ignore_index=True)
    table["label"] = np.where(np.arange(len(table)) % 2, "cdm", "no_sub")
    table["system_id"] = np.arange(len(table))
    table.to_csv(path, index=False)
    names = [row.metric for row in anomaly_metrics(path, EVALUATION, seed=0)]
    assert names == ["roc_auc_cdm", "roc_auc_any", "tpr_at_fpr_0.1", "roc_auc_any_adjusted"]


def test_the_flux_has_nothing_left_without_flux(tmp_path):
    rng = np.random.default_rng(0)
    n = 200
    table = pd.DataFrame(
        {
            "system_id": np.arange(n),
            "label": np.where(np.arange(n) % 2, "cdm", "no_sub"),
            "flux": rng.normal(5, 1, n),
            "theta_E_total": rng.normal(1.3, 0.1, n),
        }
    )
    path = str(tmp_path / "scores.csv")
    for score, left in [
        (table["flux"], False),
        (3 * table["flux"] ** 2 + table["theta_E_total"], False),
        (table["flux"] + 1e-3 * rng.normal(size=n), True),
    ]:
        table.assign(score=score).to_csv(path, index=False, float_format="%.9g")
        names = [row.metric for row in anomaly_metrics(path, EVALUATION, seed=0)]
        assert ("roc_auc_any_adjusted" in names) is left


def test_what_is_taken_out_of_a_score_tells_no_class(domain, simulate_store, tmp_path):
    classes = ["no_sub", "cdm", "vortex"]
    lens = domain("euclid", num_pix=16)
    stores = [simulate_store(tmp_path, lens, name) for name in classes]
    images = Images(list(map(str, stores)), NETWORK_INPUT, max_memory_fraction=IN_MEMORY)
    write_scores(str(tmp_path / "scores.csv"), np.zeros(30), images, classes)
    radius = pd.read_csv(tmp_path / "scores.csv")["theta_E_total"].to_numpy().reshape(3, 10)
    np.testing.assert_array_equal(radius[1:], radius[:1].repeat(2, 0))
    # The lens's own, which gives room to the substructure, would have told.
    own = images.truth("theta_E").reshape(3, 10)
    assert np.all(own[1:] < own[0])


def test_a_score_nobody_knows_is_named(tmp_path):
    overlay = tmp_path / "o.yaml"
    overlay.write_text("anomaly: {scores: [chi3]}")
    with pytest.raises(ConfigError) as caught:
        load_varied(overlay)
    assert "anomaly.scores" in caught.value.lines[0]
    assert "chi2" in caught.value.lines[0]
