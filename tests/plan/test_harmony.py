"""Pairs in one camera: which stores, starts and rows a configuration asks for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from toy.configuration import configured

from lensml import plan
from lensml.plan.layout import manifest_of

PAIR = {"source": "euclid", "target": "hst"}
RUN = {**PAIR, "encoder": "vit_conv_stem", "seed": "0"}
BELOW = "results/harmony/known/euclid/hst"
KNOWN = {"harmonise": "known", "methods": "all", "adda": {"start": "harmonised"}}


class Wildcards(SimpleNamespace):
    """Stands where Snakemake's own do: both have attributes and can be unpacked."""

    def keys(self) -> Any:
        return vars(self).keys()

    def __getitem__(self, key: str) -> Any:
        return vars(self)[key]


def adaptation(**section: Any) -> plan.Adaptation:
    return plan.Adaptation(configured({"adaptation": section}))


@pytest.fixture(scope="module")
def harmonised() -> plan.Adaptation:
    return adaptation(**KNOWN)


def test_without_it_methods_see_the_images_as_they_are():
    shipped, run = adaptation(), Wildcards(**RUN)
    assert shipped.train_stores(run) == shipped.stores("euclid", "train")
    assert shipped.target_pool(run) == shipped.pool("hst")
    assert shipped.seen_pool(run) == shipped.pool_files("hst")
    assert shipped.seen_to_test(run) == shipped.manifests("hst", "test")
    assert shipped.start(run) == shipped.source_weights(run)
    files = [f for row in shipped.rows() for f in row.values() if "harmon" in str(f)]
    assert files == []
    assert "harmonised" not in shipped.rows()[0]


def test_methods_see_images_of_one_camera_and_begin_where_they_were_learnt(harmonised):
    run = Wildcards(**RUN, method="coral")
    classes = ("no_sub", "cdm", "vortex")
    assert harmonised.train_stores(run) == [f"{BELOW}/source/{c}/train.zarr" for c in classes]
    assert harmonised.test_stores(run) == [f"{BELOW}/target/{c}/test.zarr" for c in classes]
    assert harmonised.target_pool(run) == f"{BELOW}/target/unlabelled/train.zarr"
    pool = manifest_of(harmonised.target_pool(run))
    assert harmonised.seen_pool(run) == [pool]
    start = "results/adaptation/euclid/hst/vit_conv_stem/source_harmonised/seed0/"
    assert harmonised.start(run) == harmonised.adda_start(run) == f"{start}weights.safetensors"
    assert harmonised.source_weights(run).startswith("results/classification/euclid/")


@pytest.mark.parametrize("method", ["source_only", "oracle"])
def test_references_see_the_images_as_they_are(harmonised, method):
    run = Wildcards(**RUN, method=method)
    assert harmonised.test_stores(run) == harmonised.stores("hst", "test")
    assert harmonised.seen_to_test(run) == harmonised.manifests("hst", "test")


def test_adda_starts_where_it_is_told_to(harmonised):
    plain = adaptation(harmonise="known")
    assert plain.adda_start(Wildcards(**RUN)) == plain.source_weights(Wildcards(**RUN))
    assert plain.start(Wildcards(**RUN)) != plain.source_weights(Wildcards(**RUN))


def test_the_trivial_baseline_is_carried_as_it_is_and_in_one_camera(harmonised):
    rows = {r["method"]: r for r in harmonised.rows() if r["model"] == "radial_profile"}
    assert set(rows) == {"source_only", "source_harmonised"}
    assert rows["source_only"]["path"] == rows["source_harmonised"]["reference"]
    assert rows["source_only"]["path"] != rows["source_harmonised"]["path"]


def test_gains_are_over_both_starts(harmonised):
    networks = [row for row in harmonised.rows() if row["model"] != "radial_profile"]
    rows = {row["method"]: row for row in networks}
    plain, start = rows["source_only"]["path"], rows["source_harmonised"]["path"]
    assert (rows["adda"]["reference"], rows["adda"]["harmonised"]) == (plain, start)
    assert (rows["source_harmonised"]["reference"], start) == (plain, start)
    for method in ("source_only", "source_harmonised", "oracle"):
        assert rows[method]["harmonised"] == ""
    few = adaptation(harmonise="known", methods=["source_only", "adda"])
    assert {row.get("harmonised", "") for row in few.rows()} == {""}


def test_the_gate_compares_adda_with_where_it_began(harmonised):
    below = "results/adaptation/euclid/hst/vit_conv_stem"
    files = {
        m: f"{below}/{m}/seed0/criteria.json" for m in ("source_only", "source_harmonised", "adda")
    }
    rows = {row["method"]: row for row in harmonised.rows() if row["model"] == "vit_conv_stem"}
    assert rows["adda"]["criteria"] == [files["source_harmonised"], files["adda"]]
    assert harmonised.criteria(harmonised.rows()) == list(files.values())
    for other in (adaptation(), adaptation(harmonise="known")):
        assert other.criteria(other.rows()) == []


def test_both_starts_are_compared_where_both_are_there(harmonised):
    rows = {row["method"]: row for row in harmonised.rows() if row["model"] == "vit_conv_stem"}
    below = "results/adaptation/euclid/hst/vit_conv_stem"
    both = [f"{below}/{m}/seed0/criteria.json" for m in ("source_only", "source_harmonised")]
    assert rows["source_harmonised"]["starts"] == both
    assert [method for method, row in rows.items() if "starts" in row] == ["source_harmonised"]
    alone = adaptation(harmonise="known", methods=["source_harmonised", "oracle"])
    assert alone.criteria(alone.rows()) == []


def test_of_the_target_its_pool_alone_says_what_the_cameras_agree_on(harmonised):
    harmony, pair = harmonised.harmony, Wildcards(**PAIR)
    files = harmony.inputs(pair)
    assert [file for file in files if "/hst/" in file] == harmony.pool_files("hst")
    assert set(harmony.cameras(pair)) == {"source", "target"}
    assert harmony.needed_fit(pair) == []


def test_of_a_fitted_camera_nothing_is_told(harmonised):
    fitted, pair = adaptation(harmonise="fitted").harmony, Wildcards(**PAIR)
    assert set(fitted.cameras(pair)) == {"source"}
    assert fitted.needed_fit(pair) == ["results/harmony/fitted/euclid/hst/camera.json"]
    assert fitted.inputs(pair) == harmonised.harmony.inputs(pair)


def test_a_fitted_camera_shares_no_file_with_a_known_one(harmonised):
    known, fitted = harmonised.harmony, adaptation(harmonise="fitted").harmony
    run = Wildcards(**PAIR)
    assert known.agreed != fitted.agreed
    assert not {*known.labelled(run, "source", "train")} & {
        *fitted.labelled(run, "source", "train")
    }


def test_the_table_of_cameras_has_every_pair(harmonised):
    (row,) = harmonised.harmony.camera_fits()
    assert (row["source_domain"], row["target_domain"]) == ("euclid", "hst")
    assert row["target"]["instrument"]["pixel_scale"] == 0.08
    assert "results/tables/cameras.csv" in harmonised.harmony.cameras_table()
    with pytest.raises(ValueError, match=r"adaptation\.pairs is empty"):
        adaptation(pairs=[]).harmony.cameras_table()


@pytest.mark.parametrize(
    ("side", "substructure", "split", "plain"),
    [
        ("source", "cdm", "train", "results/datasets/euclid/cdm/train.zarr"),
        ("target", "cdm", "test", "results/datasets/hst/cdm/test.zarr"),
        ("target", "unlabelled", "train", "results/datasets/hst/unlabelled/train.zarr"),
    ],
)
def test_a_store_is_made_of_that_of_its_own_side(harmonised, side, substructure, split, plain):
    store = Wildcards(**PAIR, side=side, substructure=substructure, split=split)
    harmony = harmonised.harmony
    assert harmony.plain_store(store) == plain
    assert harmony.plain_files(store) == [manifest_of(plain)]
    path = f"{BELOW}/{side}/{substructure}/{split}.zarr"
    assert harmony.stored(store, side, substructure, split) == path


def test_in_storage_a_store_is_packed_whole():
    there = plan.Adaptation(configured({"adaptation": KNOWN}), in_storage=True)
    store = f"{BELOW}/target/unlabelled/train"
    files = [f"{store}.manifest.json", f"{store}.packed.zip"]
    assert there.seen_pool(Wildcards(**RUN)) == files
