"""Which images a class and split has: what folders and tables say, else a draw of groups."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

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
