"""What is finished stays so: moved, copied, cloned or touched, and beside other configurations."""

import shutil

import pytest
from toy.configuration import ROOT
from toy.smoke_run import digests, files_planned, overlay, planned, snakemake

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

SOURCES = ("Snakefile", "rules", "workflow_scripts", "lensml", "config", "envs", "profiles")


def copied(source, target):
    """A copy with times of its own, as ``cp -r`` and ``git clone`` make them: all are new."""
    if source.is_file():
        shutil.copy(source, target)
        return
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(source, target, copy_function=shutil.copy, ignore=ignored)


@pytest.fixture
def clone(finished, tmp_path):
    """A checkout elsewhere with the results of a finished run, inputs newer than outputs."""
    folder = tmp_path / "another place"
    folder.mkdir()
    for name in ("results", ".snakemake/metadata"):
        copied(finished / name, folder / name)
    files = [path for path in (folder / "results").rglob("*") if path.is_file()]
    for path in sorted(files, key=lambda path: path.stat().st_mtime, reverse=True):
        path.touch()
    for name in SOURCES:
        copied(ROOT / name, folder / name)
    return folder


def test_a_finished_run_copied_elsewhere_with_its_code_plans_nothing(clone):
    assert planned(clone, checkout=clone) == {}


def test_a_finished_run_that_is_moved_plans_nothing(clone, tmp_path):
    """Within a file system, which keeps times; the run was made with another checkout."""
    moved = clone.rename(tmp_path / "moved")
    assert planned(moved) == {}


def test_a_change_of_code_remakes_what_is_drawn_by_it_and_no_network(clone):
    for name in ("workflow_scripts/train_classifier.py", "lensml/training/engine/loop.py"):
        with (clone / name).open("a") as file:
            file.write("# a remark\n")
    assert planned(clone, checkout=clone) == {}
    with (clone / "lensml/figures/roc.py").open("a") as file:
        file.write("# a remark\n")
    rules = set(planned(clone, checkout=clone)) - {"all"}
    assert rules
    assert all(name.startswith("plot_roc") for name in rules)


def test_two_configurations_share_no_file_of_a_whole_run(tmp_path):
    names = ("null", "a", "b")
    files = [files_planned(tmp_path, run=name) for name in names]
    assert len(files[0]) == len(files[1]) == len(files[2]) > 100
    assert len(set().union(*files)) == sum(map(len, files))


def test_two_configurations_side_by_side_overwrite_nothing_of_each_other(tmp_path):
    target = "datasets/hst/no_sub/val.manifest.json"
    other = overlay(tmp_path, {"seed": 3})
    snakemake(tmp_path, f"results/a/{target}", run="a")
    first = digests(tmp_path / "results" / "a")
    snakemake(tmp_path, f"results/b/{target}", run="b", overlays=[other])
    assert digests(tmp_path / "results" / "a") == first
    second = digests(tmp_path / "results" / "b")
    assert second.keys() == first.keys()
    assert second[target] != first[target]
    for name, overlays in (("a", []), ("b", [other])):
        done = planned(tmp_path, f"results/{name}/{target}", run=name, overlays=overlays)
        assert done == {}
