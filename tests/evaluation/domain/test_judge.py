"""The facts of a domain's own images: what they are, that they are kept, and what they refuse."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from toy.fits import fit_spec

from lensml.evaluation.domain import judge as module
from lensml.evaluation.domain.corruptions import CORRUPTIONS
from lensml.evaluation.domain.facts import FACTS, facts_of
from lensml.evaluation.domain.judge import Ordinary, ordinary_images
from lensml.fit.observed import observe
from lensml.fit.starts import draw_reference

CLASSES = ["no_sub", "cdm"]
N = 24


@pytest.fixture(scope="module")
def own(judge):
    """Test images of the domain, without substructure, with what was fitted to them."""
    systems, images = observe(judge.fitter.domain, "no_sub", n=N, seed=1, split="test")
    return systems, images, list(judge.fitter.fit(images, judge.reference))


def measured(own) -> dict[str, np.ndarray]:
    _, images, fitted = own
    return dict(zip(FACTS, facts_of(images, fitted, 0.1).T, strict=True))


def test_facts_are_what_their_names_say(own):
    systems, images, _ = own
    found, truth = measured(own), systems.truth
    np.testing.assert_allclose(found["theta_E"], truth["theta_E"], atol=0.02)
    shear = np.hypot(truth["gamma1"], truth["gamma2"])
    np.testing.assert_allclose(found["shear"], shear, atol=0.03)
    assert np.median(found["border_rms"]) == pytest.approx(1, abs=0.05)
    assert np.median(found["off_arc_chi2"]) == pytest.approx(0, abs=0.02)
    assert abs(np.median(found["correlation"])) < 0.02
    assert (found["flat_pixels"] == 1).all()
    np.testing.assert_allclose(
        10 ** found["peak"], images.image.max((1, 2)) / images.background_rms
    )
    assert (found["half_light_radius"] > 0.5).all()


def test_an_image_without_a_fit_has_no_facts(judge, own):
    _, images, _ = own
    empty = CORRUPTIONS["noise_alone"](images, judge.fitter.domain, np.random.default_rng(0))
    facts = facts_of(empty, list(judge.fitter.fit(empty, judge.reference)), 0.1)
    assert np.isnan(facts).all(axis=1).mean() > 0.9


def test_the_domains_own_images_are_within(judge, own):
    facts = facts_of(own[1], own[2], 0.1)
    assert np.mean([verdict.within for verdict in judge.judge.judge(facts)]) > 0.85


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_corrupted_image_is_refused(judge, own, name):
    images = CORRUPTIONS[name](own[1], judge.fitter.domain, np.random.default_rng(1))
    assert images.image.dtype == np.float32
    facts = facts_of(images, list(judge.fitter.fit(images, judge.reference)), 0.1)
    assert np.mean([not verdict.within for verdict in judge.judge.judge(facts)]) > 0.9


def of(seen_domain, folder: Path, **changes) -> Ordinary:
    spec = fit_spec(n_reference=60, potential=None, **changes)
    reference = draw_reference(seen_domain, n=60, seed=1)
    return ordinary_images(seen_domain, CLASSES, spec, reference, folder, seed=1, n_images=6)


def test_facts_are_measured_once(seen_domain, tmp_path, monkeypatch):
    first = of(seen_domain, tmp_path)
    assert first.facts.shape == (12, len(FACTS))
    assert first.labels.tolist() == [0] * 6 + [1] * 6
    (kept,) = tmp_path.iterdir()
    with monkeypatch.context() as patched:
        patched.setattr(module, "observe", None)
        again = of(seen_domain, tmp_path)
    np.testing.assert_array_equal(again.facts, first.facts)
    assert float(again.exposure_time) == float(first.exposure_time) > 0
    kept.write_bytes(kept.read_bytes()[:100])
    np.testing.assert_array_equal(of(seen_domain, tmp_path).facts, first.facts)


def test_other_files_have_other_facts(domain, tmp_path, monkeypatch):
    mine, measured = domain("euclid", files={"folder": "data"}), []
    facts = Ordinary(*(np.zeros(1) for _ in fields(Ordinary)))
    monkeypatch.setattr(module, "_measured", lambda *_: measured.append(1) or facts)
    manifests = [tmp_path / "datasets/euclid" / name / "val.manifest.json" for name in CLASSES]
    for path in manifests:
        path.parent.mkdir(parents=True)
        path.write_text("{}")
    spec = fit_spec(n_reference=60)
    reference = draw_reference(mine, n=60, seed=1)
    where = {"seed": 1, "datasets": tmp_path / "datasets"}
    for n_measured, content in ((1, "{}"), (2, '{"n_images": 3}'), (2, '{"n_images": 3}')):
        manifests[1].write_text(content)
        ordinary_images(mine, CLASSES, spec, reference, tmp_path / "kept", **where)
        assert len(measured) == n_measured


def test_too_few_images_judge_nobody(seen_domain, tmp_path):
    with pytest.raises(ValueError, match="fitted to 6 validation images of a class"):
        of(seen_domain, tmp_path).judge()


def test_images_without_noise_are_refused(domain, tmp_path):
    quiet = domain("euclid", instrument={"noise": "none"})
    with pytest.raises(ValueError, match="euclid: its images have no noise"):
        of(quiet, tmp_path)


def test_other_fits_have_facts_of_their_own(seen_domain, tmp_path):
    of(seen_domain, tmp_path)
    of(seen_domain, tmp_path, fine_steps=2)
    assert len(list(tmp_path.iterdir())) == 2
