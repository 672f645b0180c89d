"""Which images a class and split has: what folders and tables say, else a draw of groups."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy.arrays import write_arrays

from lensml.data.imported import Entry, entries_of
from lensml.schema.files import ImageFiles
from lensml.schema.simulation import SPLITS

COUNTS = {"train": 6, "val": 2, "test": 3}


def images(folder: Path, n: int) -> None:
    folder.mkdir(parents=True)
    for i in range(n):
        np.save(folder / f"{i:02d}.npy", np.zeros((4, 4)))


def listed(files: ImageFiles, split: str, name: str = "cdm", seed: int = 0) -> list[Entry]:
    return entries_of(files, name, split, COUNTS, seed=seed)


def test_a_folder_of_classes_is_drawn_into_splits_that_share_nothing(tmp_path):
    images(tmp_path / "sphere", 12)
    files = ImageFiles(folder=str(tmp_path), classes={"cdm": "sphere"})
    found = {split: listed(files, split) for split in SPLITS}
    assert {split: len(entries) for split, entries in found.items()} == COUNTS
    paths = [entry.path for entries in found.values() for entry in entries]
    assert len(set(paths)) == len(paths) == 11
    assert found == {split: listed(files, split) for split in SPLITS}
    assert found != {split: listed(files, split, seed=1) for split in SPLITS}
    assert len({entry.system_id for entries in found.values() for entry in entries}) == 11


def test_folders_of_splits_are_kept(tmp_path):
    for split, n in {"train": 6, "val": 2, "test": 4}.items():
        images(tmp_path / split / "cdm", n)
    files = ImageFiles(folder=str(tmp_path))
    for split in SPLITS:
        assert {entry.path.parent.parent.name for entry in listed(files, split)} == {split}


def test_many_images_of_one_file_are_told_apart(tmp_path):
    (tmp_path / "cdm").mkdir()
    np.save(tmp_path / "cdm" / "all.npy", np.zeros((11, 4, 4)))
    files = ImageFiles(folder=str(tmp_path))
    found = [entry.index for split in SPLITS for entry in listed(files, split)]
    assert sorted(found) == list(range(11))


def write_table(folder: Path, *rows: str) -> ImageFiles:
    (folder / "table.csv").write_text("\n".join(rows) + "\n")
    return ImageFiles(table=str(folder / "table.csv"))


def test_images_of_one_lens_stay_in_one_split(tmp_path):
    rows = [f"{i}.npy,cdm,lens{i // 2}" for i in range(16)]
    files = write_table(tmp_path, "image,class,group", *rows)
    found = {
        split: {int(entry.path.stem) // 2 for entry in listed(files, split)} for split in SPLITS
    }
    assert not found["train"] & found["test"]
    assert not found["train"] & found["val"]
    assert not found["val"] & found["test"]


def test_a_table_says_split_noise_and_place(tmp_path):
    rows = [f"many.npy[{i}],cdm,test,0.5,100" for i in range(3)] + ["a.npy,no_sub,test,,"]
    files = write_table(tmp_path, "image,class,split,background_rms,exposure_time", *rows)
    first = listed(files, "test")[0]
    assert (first.path, first.index) == (tmp_path / "many.npy", 0)
    assert (first.background_rms, first.exposure_time) == (0.5, 100.0)
    with pytest.raises(ValueError, match="no split 'train'"):
        listed(files, "train")


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        (("image,label", "a.npy,cdm"), "has columns 'image' and 'class'"),
        (("image,class", "a.npy,vort"), "has no image of class 'cdm', but of vort"),
        (("image,class,split", "a.npy,cdm,dev"), "line 2: split is 'dev'; allowed are train"),
        (("image,class,background_rms", "a.npy,cdm,faint"), "line 2: could not convert"),
    ],
)
def test_a_table_that_is_wrong_is_one_line(tmp_path, rows, problem):
    with pytest.raises(ValueError, match=problem):
        listed(write_table(tmp_path, *rows), "train")


def test_too_few_images_are_counted(tmp_path):
    images(tmp_path / "cdm", 9)
    files = ImageFiles(folder=str(tmp_path))
    assert len(listed(files, "train")) == 6
    with pytest.raises(ValueError, match=r"class 'cdm' has 9 images; asked for are 3 for 'test'"):
        listed(files, "test")


def test_a_missing_folder_says_where_classes_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"neither a folder 'cdm'.*files\.classes"):
        listed(ImageFiles(folder=str(tmp_path)), "train")


def write_stack(folder: Path, name: str = "all.h5", n: int = 12, **columns: Any) -> Path:
    return write_arrays(folder / name, image=np.zeros((n, 4, 4)), **columns)


LABELS = [1, 0] * 11  # of 22 images, one half of each


@pytest.mark.parametrize("name", ["all.npz", "all.h5", "all.zarr"])
@pytest.mark.parametrize("labels", [LABELS, [float(x) for x in LABELS], [f"{x}" for x in LABELS]])
@pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")
def test_labels_lie_beside_the_images_of_one_file(tmp_path, name, labels):
    path = write_stack(tmp_path, name, 22, label=labels)
    files = ImageFiles(array=str(path), labels="label", classes={"cdm": "1"})
    found = [entry.index for split in SPLITS for entry in listed(files, split)]
    assert sorted(found) == list(range(0, 22, 2))
    assert found != sorted(found)


@pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")
@pytest.mark.parametrize("name", ["all.npz", "all.h5", "all.zarr"])
def test_splits_groups_and_noise_lie_there_too(tmp_path, name):
    splits = ["train"] * 6 + ["val"] * 2 + ["test"] * 4
    rms = np.linspace(1, 2, 12)
    known = {"background_rms": rms, "exposure_time": 50.0}
    groups = [f"lens{i // 2}" for i in range(12)]
    path = write_stack(tmp_path, name, label=["cdm"] * 12, split=splits, group=groups, **known)
    files = ImageFiles(array=str(path), labels="label")
    found = {split: listed(files, split) for split in SPLITS}
    assert sorted(entry.index for entry in found["train"]) == list(range(6))
    entry = found["val"][0]
    assert entry.background_rms == pytest.approx(rms[entry.index])
    assert entry.exposure_time == 50.0
    assert {entry.group for entry in found["val"]} == {"lens3"}


def test_labels_of_an_array_lie_in_a_table(tmp_path):
    np.save(tmp_path / "all.npy", np.zeros((22, 4, 4)))
    rows = [f"{'cdm' if i % 2 else 'no'},lens{i // 4}" for i in range(22)]
    (tmp_path / "labels.csv").write_text("\n".join(["class,group", *rows]))
    files = ImageFiles(array=str(tmp_path / "all.npy"), labels=str(tmp_path / "labels.csv"))
    found = {split: listed(files, split) for split in ("train", "val")}
    assert all(entry.index % 2 for entries in found.values() for entry in entries)
    groups = [{entry.group for entry in entries} for entries in found.values()]
    assert not groups[0] & groups[1]


@pytest.mark.parametrize(
    ("columns", "labels", "problem"),
    [
        ({}, "label", r"all\.h5: has no array 'label' of labels \(files\.labels\)"),
        ({"label": [1] * 11}, "label", r"shape \(11,\); needed is one for each image, \(12"),
        ({"label": [[1, 0]] * 12}, "label", r"label has shape \(12, 2\); needed is one"),
        ({"label": [1.0] * 11 + [np.nan]}, "label", "label of image 11 is missing"),
        ({"label": ["cdm"] * 11 + [""]}, "label", "label of image 11 is missing"),
        ({"label": [0, 2] * 6}, "label", "no image of class 'cdm', but of 0, 2; what a class is"),
        ({"label": ["cdm"] * 12, "split": ["dev"] * 12}, "label", "image 0: split is 'dev'; all"),
        ({"label": ["cdm"] * 12, "split": ["train"] * 3}, "label", r"split has shape \(3,\)"),
        ({"label": ["cdm"] * 5 + ["no"] * 7}, "label", "'cdm' has 5 images; asked for are 6"),
        ({}, "few.csv", r"few\.csv: has 2 rows, .*all\.h5 12 images"),
        ({}, "image.csv", r"image\.csv: has column 'class', and a row for each image"),
    ],
)
def test_labels_that_are_wrong_are_one_line(tmp_path, monkeypatch, columns, labels, problem):
    monkeypatch.chdir(tmp_path)
    write_stack(tmp_path, **columns)
    (tmp_path / "few.csv").write_text("class\ncdm\ncdm\n")
    (tmp_path / "image.csv").write_text("image\na.npy\n")
    with pytest.raises(ValueError, match=problem) as caught:
        listed(ImageFiles(array="all.h5", labels=labels), "train")
    assert "\n" not in str(caught.value)


def test_one_image_is_no_stack(tmp_path):
    path = write_arrays(tmp_path / "one.npz", image=np.zeros((4, 4)), label=["cdm"])
    with pytest.raises(ValueError, match=r"holds one image of shape \(4, 4\); needed are \(N"):
        listed(ImageFiles(array=str(path), labels="label"), "train")
