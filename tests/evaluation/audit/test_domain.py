"""The audit: each test finds its fault."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lensml.data.store import ChunkedImages, Store, open_store
from lensml.evaluation.audit import domain as audit
from lensml.evaluation.audit.domain import Dataset, audit_domain
from lensml.evaluation.audit.statistics import Finding
from lensml.evaluation.audit.table import tabulate_audit
from lensml.evaluation.audit.verdicts import MEANING, verdicts
from lensml.schema import Config
from lensml.schema.encoders import NetworkInput
from lensml.schema.training import Audit

CLASSES = ("no_sub", "cdm", "vortex")
SIZES = {"train": 120, "val": 20, "test": 60}
SMALL: dict[str, Any] = {"num_pix": 32, "supersampling_factor": 2}
COARSE = {"pixel_scale": 0.2}
NETWORK_INPUT = NetworkInput(stretch="asinh", noise_units=5.0, scale=2.0, center_crop=None)


@pytest.fixture(scope="module")
def spec(default_config: Config) -> Audit:
    return default_config.audit.model_copy(update={"n_traced": 180, "n_rendered": 180})


@pytest.fixture(scope="module")
def simulated(tmp_path_factory, domain, simulate_store) -> Callable[..., dict]:
    """Factory: split -> paths of a domain's small stores, simulated the first time."""
    folder = tmp_path_factory.mktemp("audited")
    done: dict[str, dict[str, list[str]]] = {}

    def make(name: str, sizes: Mapping[str, int] = SIZES) -> dict[str, list[str]]:
        if name not in done:
            small = domain(name, **SMALL, instrument=COARSE)
            done[name] = {
                split: [
                    str(simulate_store(folder, small, c, split, n_images=n, images_per_block=50))
                    for c in CLASSES
                ]
                for split, n in sizes.items()
            }
        return done[name]

    return make


@pytest.fixture(scope="module")
def clean(simulated, spec) -> Dataset:
    stores = {
        split: [open_store(p) for p in paths] for split, paths in simulated("euclid").items()
    }
    return Dataset(CLASSES, stores, spec, NETWORK_INPUT, 1)


def changed(data: Dataset, change: Callable[[Store], Store], k: int = 1, splits=SIZES) -> Dataset:
    """The dataset with one class's stores changed."""
    stores = {split: list(opened) for split, opened in data.stores.items()}
    for split in splits:
        stores[split][k] = change(stores[split][k])
    return replace(data, stores=stores)


def with_truth(store: Store, **columns: np.ndarray) -> Store:
    return replace(store, truth={**store.truth, **columns})


def with_image(store: Store, images: np.ndarray) -> Store:
    images = images.astype(np.float32)
    return replace(store, image=ChunkedImages([images], len(images), len(images)))


def outcome(test: Callable[[Dataset], list[Finding]], data: Dataset) -> dict[str, bool]:
    return {finding.test: finding.passed for finding in test(data)}


# The whole audit


def test_varied_lenses_pass_every_test(clean):
    findings = [finding for test in audit.TESTS for finding in test(clean)]
    assert {f.test for f in findings} == set(MEANING)
    assert [f.test for f in findings if not f.passed] == []


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("model_ii", {"einstein_radius_mean", "einstein_radius_auc", "radial_profile_auc"}),
        ("model_ii_asis", {"einstein_radius_auc", "radial_profile_auc", "noise_variance"}),
    ],
)
def test_the_published_benchmark_fails(simulated, spec, tmp_path, name, least):
    file = str(tmp_path / "audit.csv")
    options = {"classes": CLASSES, "spec": spec, "network_input": NETWORK_INPUT, "seed": 1}
    audit_domain(simulated(name), file, domain=name, **options)
    table = pd.read_csv(file)
    assert least <= set(table.loc[~table["passed"], "test"])
    outputs = [str(tmp_path / f"table.{ending}") for ending in ("csv", "md", "tex")]
    tabulate_audit([file], outputs)
    written = pd.read_csv(outputs[0])
    assert {"domain", "test", "value", "threshold", "pass"} <= set(written.columns)
    last = Path(outputs[1]).read_text().strip().splitlines()[-1]
    assert last.startswith(f"Results on {name} measure the mass inside the Einstein ring")
    assert last.endswith("not substructure.")
    assert r"\begin{tabular}" in Path(outputs[2]).read_text()


def test_a_verdict_names_each_cause_once():
    tests = ["einstein_radius_mean", "einstein_radius_auc", "noise_variance", "splits"]
    table = pd.DataFrame({"domain": "a", "test": tests, "passed": [False, False, False, True]})
    (sentence,) = verdicts(table)
    assert sentence == (
        "Results on a measure the mass inside the Einstein ring and missing or wrong noise, "
        "not substructure."
    )
    assert verdicts(table.assign(passed=True)) == []


# Each test finds its fault


def test_a_shifted_parameter_is_found(clean):
    def shift(store: Store) -> Store:
        return with_truth(store, source_magnitude=store.truth["source_magnitude"] + 0.4)

    found = outcome(audit.parameters, changed(clean, shift))
    assert found == {"parameters_auc": False, "parameters_ks": False}


def test_a_parameter_that_one_class_lacks_is_found(clean):
    def drop(store: Store) -> Store:
        return with_truth(store, source_magnitude=np.full(len(store), np.nan))

    found = outcome(audit.parameters, changed(clean, drop))
    assert found == {"parameters_auc": False, "parameters_ks": False}


def test_a_shifted_einstein_radius_is_found(clean):
    def shift(store: Store) -> Store:
        return with_truth(store, theta_E=store.truth["theta_E"] * 1.15)

    # theta_E itself is not compared, because the lens gives up mass on purpose
    assert all(outcome(audit.parameters, changed(clean, shift)).values())
    found = outcome(audit.einstein_radius, changed(clean, shift))
    assert found == {"einstein_radius_mean": False, "einstein_radius_auc": False}


@pytest.mark.parametrize("fault", ["level", "variance", "correlated"])
def test_another_background_is_found(clean, fault):
    rng = np.random.default_rng(0)

    def spoil(store: Store) -> Store:
        images = store.image.load()
        rms = store.truth["background_rms"][:, None, None]
        if fault == "level":
            return with_image(store, images + 0.15 * rms)
        extra = rng.standard_normal(images.shape) * rms
        if fault == "correlated":
            extra = (extra + np.roll(extra, 1, axis=2)) / np.sqrt(2)
        return with_image(store, images + 0.6 * extra)

    assert outcome(audit.background, changed(clean, spoil)) == {"background_auc": False}


def test_a_radial_profile_that_tells_the_class_is_a_warning(clean):
    def brighten(store: Store) -> Store:
        return with_image(store, store.image.load() * 2)

    data = changed(changed(clean, brighten), lambda s: with_image(s, s.image.load() * 4), k=2)
    expected = {"radial_profile_auc": False, "moments_auc": False, "null_auc": True}
    assert outcome(audit.radial_profiles, data) == expected


def test_a_leaking_pipeline_fails_the_null(clean, monkeypatch):
    class Cheat:
        """Knows the order of what it is measured on."""

        def fit(self, x: np.ndarray, y: np.ndarray) -> None:
            self.classes = len(np.unique(y))

        def predict_proba(self, x: np.ndarray) -> np.ndarray:
            return np.eye(self.classes)[np.arange(len(x)) * self.classes // len(x)]

    monkeypatch.setattr(audit, "radial_profile_model", Cheat)
    assert outcome(audit.radial_profiles, clean)["null_auc"] is False


def test_a_system_in_two_splits_is_found(clean):
    stolen = clean.stores["train"][1].truth

    def repeat(store: Store) -> Store:
        columns = {k: np.concatenate([stolen[k][:1], v[1:]]) for k, v in store.truth.items()}
        return with_truth(store, **columns)

    data = changed(clean, repeat, splits=["test"])
    assert audit.splits(data)[0].value == 2  # its identifier and its row
    assert not audit.splits(data)[0].passed
    # a new identifier does not hide a repeated row
    renamed = changed(data, lambda s: with_truth(s, system_id=np.arange(len(s))), splits=["test"])
    assert audit.splits(renamed)[0].value == 1


def test_noise_of_one_class_alone_is_found(clean):
    def scale(store: Store) -> Store:
        return with_truth(store, background_rms=store.truth["background_rms"] * 1.05)

    data = changed(clean, scale, k=2)
    assert outcome(audit.noise, data) == {"noise_variance": False}
    assert audit.noise(data)[0].value == pytest.approx(1 / 1.05**2, abs=0.03)


def test_noise_is_measured_with_the_light_that_was_subtracted(simulated, spec):
    paths = simulated("euclid_realistic", {"test": 30})
    stores = {split: [open_store(p) for p in of_split] for split, of_split in paths.items()}
    finding = audit.noise(Dataset(CLASSES, stores, spec, NETWORK_INPUT, 1))[0]
    assert finding.passed
    assert finding.threshold == pytest.approx(3 * np.sqrt(2 / (30 * 32**2)))


def test_noise_of_a_lenstronomy_store_is_measured_without_refinement(
    domain, simulate_store, tmp_path
):
    camera = domain("euclid_realistic", num_pix=24, supersampling_factor=2)
    single = camera.model_copy(update={"refinement_factor": 1})
    where = {"substructure": "no_sub", "split": "test", "n_images": 6}
    residuals = []
    for engine, observed in (("lenstronomy", camera), ("numba", single)):
        path = simulate_store(tmp_path / engine, observed, **where, engine=engine)
        residuals.append(audit._residual(open_store(path), 6))
    np.testing.assert_allclose(*residuals, atol=0.01)  # in units of the noise


def test_an_order_that_tells_the_class_is_found(clean):
    def shorten(store: Store) -> Store:
        keep = len(store) // 3
        truth = {k: v[:keep] for k, v in store.truth.items()}
        return replace(with_image(store, store.image.load()[:keep]), truth=truth)

    assert outcome(audit.order, changed(clean, shorten))["index_auc"] is False


def test_another_file_format_is_found(clean, simulate_store, domain, tmp_path):
    small = domain("euclid", **SMALL, instrument=COARSE)
    other = simulate_store(tmp_path, small, "cdm", "val", n_images=20, images_per_block=10)
    data = changed(clean, lambda _: open_store(other), splits=["val"])
    finding = audit.order(data)[1]
    assert not finding.passed
    assert "image" in finding.detail


def test_unpaired_lenses_are_found(clean):
    def permute(store: Store) -> Store:
        return with_truth(store, **{k: v[::-1] for k, v in store.truth.items()})

    data = changed(clean, permute, splits=["val"])
    assert outcome(audit.pairing, data) == {"pairing": False}
    one = changed(clean, lambda s: with_truth(s, gamma1=s.truth["gamma1"] + 1e-12))
    assert audit.pairing(one)[0].detail == "columns that differ: gamma1"
