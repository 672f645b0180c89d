"""``lensml verify`` and ``lensml doctor``."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import zipfile
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace

import pytest

from lensml.commands import doctor
from lensml.commands.main import main
from lensml.commands.verify import verify_results
from lensml.data.checksums import (
    FOLDER,
    checksum_of_bytes,
    checksum_of_file,
    record_outputs,
    write_sealed,
)
from lensml.data.files import clear_leftovers, write_bytes
from lensml.data.manifest import DamagedStoreError, manifest_path
from lensml.data.packing import pack, packed_path, unpack
from lensml.data.store import open_store


@pytest.fixture
def results(tmp_path, domain, simulate_store) -> Path:
    """A folder of results with one dataset and the files of one job."""
    folder = tmp_path / "results"
    store = simulate_store(folder / "datasets", domain(num_pix=16), "cdm")
    record_outputs(folder, [manifest_path(store)], "seal_dataset")
    for part in store.with_name("train.parts").iterdir():
        record_outputs(folder, [part], "simulate_block")
    for name in ("tables/a.csv", "tables/a.md"):
        write_bytes(folder / name, name.encode() * 10)
    record_outputs(folder, [folder / "tables/a.csv", folder / "tables/a.md"], "tabulate")
    return folder


def test_results_as_they_were_written_are_passed(results, capsys):
    assert main(["verify", str(results)]) == 0
    assert "1 datasets (10 images) and 6 files are as they were written" in capsys.readouterr().out


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(bytes(content))


CASES = {
    "a table that was changed": ("tables/a.csv", damage, "differs from what was written"),
    "a table that was cut": (
        "tables/a.csv",
        lambda path: path.write_bytes(b"x"),
        "holds 1 bytes, should hold 120",
    ),
    "a table that was deleted": ("tables/a.md", Path.unlink, "missing (made by tabulate)"),
    "a chunk": ("datasets/euclid/cdm/train.zarr/image/c/1/0/0", damage, "(images 4 to 7)"),
    "a dataset without its manifest": (
        "datasets/euclid/cdm/train.manifest.json",
        Path.unlink,
        "train.zarr: unfinished",
    ),
    "a record": (f"{FOLDER}/tables/a.csv.json", lambda p: p.write_text("{"), "not a record"),
}


@pytest.mark.parametrize("case", CASES)
def test_damage_is_named(results, capsys, case):
    name, spoil, says = CASES[case]
    spoil(results / name)
    assert main(["verify", str(results)]) == 1
    found = [x for x in capsys.readouterr().out.splitlines() if x.startswith("damaged: ")]
    assert says in found[0]
    # A manifest that is gone leaves a dataset unfinished and is missing itself.
    assert len(found) == 1 + name.endswith("manifest.json")


def test_files_that_no_job_recorded_are_no_damage(results):
    write_bytes(results / "mine.txt", b"notes")
    verdict = verify_results(results)
    assert not verdict.problems
    assert verdict.unrecorded == [results / "mine.txt"]


def test_a_folder_that_is_not_there_is_one_line(tmp_path, capsys):
    assert main(["verify", str(tmp_path / "nowhere")]) == 1
    assert capsys.readouterr().err == f"lensml verify: {tmp_path / 'nowhere'}: no such folder\n"


def test_records_that_lead_out_of_the_folder_are_no_records(results):
    path = results / FOLDER / "tables/a.csv.json"
    record = json.loads(path.read_text())
    record["files"]["../../secret"] = [1, "0" * 64]
    write_sealed(path, {"rule": record["rule"], "files": record["files"]})
    assert any("outside of the results" in line for line in verify_results(results).problems)


def test_a_checksum_of_a_file_is_that_of_its_content(tmp_path):
    content = bytes(range(256)) * 40_000  # more than one piece
    (tmp_path / "file").write_bytes(content)
    expected = len(content), hashlib.sha256(content).hexdigest()
    assert checksum_of_file(tmp_path / "file") == checksum_of_bytes(content) == expected


def test_what_a_killed_writer_left_is_removed_and_nothing_else(tmp_path):
    for name in (".a.csv.x1.tmp", ".b.csv.x1.tmp", "a.csv", "a.csv.tmp"):
        (tmp_path / name).touch()
    clear_leftovers(tmp_path / "a.csv")
    assert {p.name for p in tmp_path.iterdir()} == {".b.csv.x1.tmp", "a.csv", "a.csv.tmp"}


@pytest.mark.workflow
@pytest.mark.slow
def test_the_finished_run_verifies(finished):
    verdict = verify_results(finished / "results")
    assert verdict.problems == []
    assert verdict.unrecorded == []
    assert verdict.stores == 20  # three splits of three classes and two domains, pool, proxies
    assert verdict.files > 200


# Packed stores


@pytest.mark.parametrize("with_images", [True, False])
def test_a_packed_store_is_whole_again_when_it_is_unpacked(results, tmp_path, with_images):
    store = results / "datasets/euclid/cdm/train.zarr"
    pack(store, with_images=with_images)
    first = packed_path(store).read_bytes()
    pack(store, with_images=with_images)
    assert packed_path(store).read_bytes() == first
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    if not with_images:
        shutil.copytree(store / "image/c", elsewhere / "train.zarr/image/c")
    for name in ("train.packed.zip", "train.manifest.json"):
        shutil.copy(store.parent / name, elsewhere)
    unpack(elsewhere / "train.packed.zip")
    assert len(open_store(elsewhere / "train.zarr")) == 10


def test_a_packed_store_cannot_write_outside(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.packed.zip", "w") as archive:
        archive.writestr("../outside", b"x")
    with pytest.raises(DamagedStoreError, match=r"\.\./outside"):
        unpack(tmp_path / "a.packed.zip")
    assert not (tmp_path / "outside").exists()


def test_a_file_that_is_no_packed_store_is_refused(tmp_path):
    (tmp_path / "a.packed.zip").write_bytes(b"no zip")
    with pytest.raises(DamagedStoreError, match="not a packed dataset"):
        unpack(tmp_path / "a.packed.zip")


# The doctor


def finding(what: str) -> list[doctor.Finding]:
    return [f for f in doctor.findings() if f.what == what]


def test_this_environment_is_healthy(capsys):
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[1] for line in lines} >= {"Python", "packages", "torch", "cores", "disk"}


def test_a_package_of_the_wrong_version_is_named(monkeypatch, capsys):
    real = doctor.metadata.version
    monkeypatch.setattr(
        doctor.metadata, "version", lambda name: "0.1" if name == "zarr" else real(name)
    )
    assert main(["doctor"]) == 1
    assert "zarr is 0.1, needs" in capsys.readouterr().out


def test_a_gpu_that_torch_cannot_use_is_wrong(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(doctor.shutil, "which", lambda name: f"/usr/bin/{name}")
    (gpu,) = finding("GPU")
    assert gpu.status == "wrong"


def test_a_controller_that_does_not_answer_is_a_note(monkeypatch):
    monkeypatch.setattr(doctor.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(doctor, "_output", lambda *command: None)
    (slurm,) = finding("SLURM")
    assert slurm.status == "note"
    assert "no controller" in slurm.says


def test_a_cluster_without_accounting_is_told_what_to_change(monkeypatch):
    monkeypatch.setattr(doctor.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(
        doctor, "_output", lambda *command: None if command[0] == "sacct" else "cpu* 1 (null)"
    )
    assert "slurm-status-command" in finding("SLURM")[1].says


def test_little_disk_is_a_note(monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda folder: usage(10, 9, 1))
    assert finding("disk")[0].status == "note"


def test_a_check_that_breaks_hides_no_other(monkeypatch):
    def broken():
        raise RuntimeError("no such thing")
        yield

    monkeypatch.setattr(doctor, "CHECKS", (broken, doctor._threads))
    found = list(doctor.findings())
    assert found[0].status == "wrong"
    assert "no such thing" in found[0].says
    assert found[1].what == "cores"


def test_the_command_is_installed_and_says_what_it_does():
    done = subprocess.run(
        [sys.executable, "-m", "lensml", "--help"], capture_output=True, text=True, check=True
    )
    assert "verify" in done.stdout
    assert "doctor" in done.stdout


def test_a_job_in_storage_does_not_write_into_results_that_are_in_the_way(tmp_path, monkeypatch):
    from lensml.workflow import _localise

    monkeypatch.chdir(tmp_path)
    (tmp_path / "results").mkdir()
    given = SimpleNamespace(output=[".snakemake/storage/s3/bucket/results/a.csv"], input=[])
    with pytest.raises(OSError, match="in the way"):
        _localise(given)
