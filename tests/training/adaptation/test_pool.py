"""Adaptation cannot see the target's labels."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from toy.runs import CPU, assert_same_results, run_adda, source_encoder
from toy.stores import RMS, write_store
from toy.study import ADDA, CNN, images_of

from lensml.data.store import open_store
from lensml.simulate.dataset import pool_unlabelled
from lensml.training.adaptation.adda import AddaTask

pytestmark = pytest.mark.usefixtures("one_torch_thread")


def test_adaptation_refuses_target_images_with_labels(study):
    labelled = images_of(study.target)
    with pytest.raises(ValueError, match="must not see target labels"):
        AddaTask(
            source_encoder(study, CNN),
            images_of(study.train),
            labelled,
            spec=ADDA,
            seed=0,
            source_symmetry="none",
            target_symmetry="none",
            device=CPU,
        )


def test_a_pool_holds_images_their_background_and_exposure_and_no_other_truth(study):
    pool = open_store(study.pool)
    assert set(pool.truth) == {"background_rms", "exposure_time"}
    assert pool.perturbers == {}
    assert len(pool.perturber_offset) == 0
    assert "substructure" not in pool.attributes
    assert "config" not in pool.attributes
    labelled = np.concatenate([open_store(path).image.load() for path in study.target])
    assert len(pool) == len(labelled)
    assert sorted(x.tobytes() for x in pool.image.load()) == sorted(x.tobytes() for x in labelled)
    images = images_of([study.pool], labelled=False)
    assert images.labels is None
    assert images.system_id is None


def test_a_pool_mixes_the_classes(study):
    pool = open_store(study.pool).image.load()
    first = {x.tobytes() for x in open_store(study.target[0]).image.load()}
    order = [x.tobytes() in first for x in pool]
    runs = 1 + sum(a != b for a, b in itertools.pairwise(order))
    # Runs of 24 + 24 shuffled labels: 25 +- 3.4 (Wald-Wolfowitz); unmixed, there would be 2.
    assert abs(runs - 25) < 4 * 3.4


def files_of(store: str) -> dict[str, bytes]:
    folder = Path(store)
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("split_at", [24, 7, 40])
@pytest.mark.parametrize("names", [("no_sub", "cdm"), ("cdm", "no_sub")])
def test_adapted_weights_do_not_depend_on_which_class_an_image_belongs_to(
    study, tmp_path, split_at, names
):
    """The same images in the same order, divided into classes elsewhere and named otherwise."""
    images = np.concatenate([open_store(path).image.load() for path in study.target])
    truth = {"m_sub_total": np.arange(48.0), "theta_E": np.random.default_rng(0).random(48)}
    stores = [
        write_store(
            tmp_path / name / "train.zarr",
            images[part],
            substructure=name,
            truth={k: v[part] for k, v in truth.items()} if k else None,
        )
        for k, (name, part) in enumerate(
            zip(names, (slice(0, split_at), slice(split_at, 48)), strict=True)
        )
    ]
    pool = tmp_path / "pool" / "train.zarr"
    pool_unlabelled(pool, stores, seed=1)
    assert files_of(str(pool)) == files_of(study.pool)
    adda = ADDA.model_copy(update={"steps": 10})
    run_adda(study, tmp_path / "here", encoder=CNN, pool=str(pool), adda=adda)
    run_adda(study, tmp_path / "there", encoder=CNN, adda=adda)
    assert_same_results(tmp_path / "here", tmp_path / "there")


def test_pools_are_in_units_of_the_background(study):
    assert open_store(study.pool).truth["background_rms"].tolist() == [RMS] * 48
