"""``lensml verify`` names every alteration of finished results, and says where it cannot know."""

from __future__ import annotations

import shutil
from collections import deque
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
import torch
from toy.alterations import KINDS, altered, content, jobs_of, named, several_altered
from toy.stores import blobs, write_store

from lensml.commands.main import main
from lensml.data.checksums import FOLDER, record_outputs
from lensml.data.files import write_bytes, write_json
from lensml.data.manifest import manifest_path
from lensml.training.engine.checkpoint import save_weights

N_ALTERATIONS = 1000


def finished_results(folder: Path) -> Path:
    """Results as a run leaves them: datasets, weights, tables, figures and their records."""
    rng = np.random.default_rng(0)
    results = folder / "results"
    for domain in ("euclid", "hst"):
        for substructure in ("no_sub", "cdm"):
            truth = {name: rng.normal(size=8) for name in ("e1", "theta_E")}
            store = results / "datasets" / domain / substructure / "train.zarr"
            write_store(
                store,
                blobs(8, rng, size=8),
                truth=truth,
                perturbers={"mass": rng.uniform(size=16), "x": rng.normal(size=16)},
                offset=np.arange(0, 17, 2),
                images_per_block=4,
            )
            record_outputs(results, [manifest_path(store)], "seal_dataset")
            for part in sorted(store.with_name("train.parts").iterdir()):
                record_outputs(results, [part], "simulate_block")
        for seed in range(2):
            run = results / "classification" / domain / f"seed{seed}"
            weights = {"a": torch.full((8,), float(rng.normal()))}
            save_weights(run / "weights.safetensors", weights, {})
            write_json(run / "run.json", {"seed": seed, "domain": domain})
            write_bytes(run / "history.csv", f"step,loss\n1,{rng.normal()}\n".encode())
            record_outputs(results, sorted(run.iterdir()), "train_classifier")
    for name in ("adaptation", "classification"):
        outputs = [results / "tables" / f"{name}.{end}" for end in ("csv", "md", "tex")]
        outputs.append(results / "figures" / f"{name}.png")
        for path in outputs:
            write_bytes(path, path.suffix.encode() + rng.bytes(100))
        record_outputs(results, outputs, "tabulate")
    return results


@pytest.fixture(scope="module")
def toy_results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finished_results(tmp_path_factory.mktemp("toy"))


def table_of(results: Path, n: int, capsys: pytest.CaptureFixture[str]) -> list[tuple]:
    """(kind, alterations, named, of these with exit status 0) of ``n`` random alterations."""
    rng = np.random.default_rng(20)
    kinds = list(KINDS)
    left = deque(kinds[number % len(kinds)] for number in range(n))
    counts = {kind: [0, 0, 0] for kind in kinds}
    jobs = jobs_of(results)
    while left:
        with ExitStack() as stack:
            done = several_altered(stack, results, left, rng, jobs)
            status = main(["verify", str(results)])
        said = capsys.readouterr().out.splitlines()
        for kind, touched in done:
            found = named(touched, results, said)
            counts[kind][0] += 1
            counts[kind][1] += found
            counts[kind][2] += status == 0
            assert found, f"{kind}: {touched} is not named in {said}"
    return [(kind, *counts[kind]) for kind in kinds]


def assert_all_are_named(results: Path, n: int, capsys: pytest.CaptureFixture[str]) -> None:
    before = content(results)
    assert main(["verify", str(results)]) == 0
    rows = table_of(results, n, capsys)
    assert content(results) == before
    with capsys.disabled():
        print(f"\n{'alteration':22s} number  named  missed")
        for kind, number, found, _ in rows:
            print(f"{kind:22s} {number:6d} {found:6d} {number - found:7d}")
        print(f"{'all':22s} {n:6d} {sum(r[2] for r in rows):6d} {n - sum(r[2] for r in rows):7d}")
    assert sum(row[1] for row in rows) == n
    # A record that is gone takes what it knew with it: its files are named as without a record.
    assert {kind for kind, *_, passed in rows if passed} <= {"deleted"}


@pytest.mark.slow
def test_a_thousand_random_alterations_are_all_named(toy_results, capsys):
    assert_all_are_named(toy_results, N_ALTERATIONS, capsys)


@pytest.mark.workflow
@pytest.mark.slow
def test_random_alterations_of_a_finished_run_are_all_named(finished, tmp_path, capsys):
    results = shutil.copytree(finished / "results", tmp_path / "results")
    assert_all_are_named(results, N_ALTERATIONS, capsys)


@pytest.mark.parametrize("kind", KINDS)
def test_an_alteration_of_every_kind_is_named(toy_results, kind, capsys):
    rng = np.random.default_rng(3)
    for _ in range(3):
        with altered(toy_results, kind, rng) as touched:
            main(["verify", str(toy_results)])
        assert named(touched, toy_results, capsys.readouterr().out.splitlines())


# Where there is nothing to check against


def refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["verify", str(folder)]) == 1
    said = capsys.readouterr()
    assert "are as they were written" not in said.out
    assert "there is nothing to check against" in said.err
    return said.out + said.err


def test_an_empty_folder_is_not_passed(tmp_path, capsys):
    refused(tmp_path, capsys)


def test_the_folder_above_is_not_passed_and_the_right_one_is_named(toy_results, capsys):
    assert f"lensml verify {toy_results}" in refused(toy_results.parent, capsys)


def test_a_folder_below_is_not_passed_and_the_right_one_is_named(toy_results, capsys):
    assert f"lensml verify {toy_results}" in refused(toy_results / "tables", capsys)
    assert f"lensml verify {toy_results}" in refused(toy_results / "datasets", capsys)


def test_a_copy_without_records_is_not_passed(toy_results, tmp_path, capsys):
    ignored = shutil.ignore_patterns(FOLDER)
    copy = shutil.copytree(toy_results, tmp_path / "copy", ignore=ignored)
    said = refused(copy, capsys)
    n = sum(p.is_file() and ".zarr" not in str(p) for p in copy.rglob("*"))
    assert f"{n} files without a record were not checked" in said


def test_files_without_a_record_are_counted_and_named(toy_results, tmp_path, capsys):
    results = shutil.copytree(toy_results, tmp_path / "results")
    write_bytes(results / "tables" / "mine.txt", b"notes")
    (results / FOLDER / "tables" / "adaptation.csv.json").unlink()
    assert main(["verify", str(results)]) == 0
    lines = capsys.readouterr().out.splitlines()
    found = {line.removeprefix("no record: ") for line in lines[:-1]}
    names = ["tables/mine.txt", "figures/adaptation.png"]
    names += [f"tables/adaptation.{end}" for end in ("csv", "md", "tex")]
    assert found == {str(results / name) for name in names}
    assert "; 5 files without a record were not checked" in lines[-1]


def test_results_of_an_older_version_say_what_to_do(toy_results, tmp_path, capsys):
    results = shutil.copytree(toy_results, tmp_path / "results")
    store = results / "datasets" / "hst" / "cdm" / "train.zarr"
    old = {"n_images": 8, "images_per_chunk": 4, "files": {"zarr.json": [1, "48674bc7"]}}
    write_json(manifest_path(store), old)
    record = results / FOLDER / "tables" / "adaptation.csv.json"
    write_json(record, {"rule": "tabulate", "files": {"tables/adaptation.csv": [1, "48674bc7"]}})
    assert main(["verify", str(results)]) == 1
    lines = capsys.readouterr().out.splitlines()
    older = "holds checksums of an older lensml, which vouch for nothing"
    (of_store,) = [x for x in lines if x.startswith(f"damaged: {manifest_path(store)}: {older}")]
    assert "delete it and train.zarr beside it to have the dataset made again" in of_store
    (of_record,) = [x for x in lines if x.startswith(f"damaged: {record}")]
    assert older in of_record
    assert "run the job again" in of_record
