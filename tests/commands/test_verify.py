"""``lensml verify``."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from lensml.commands.main import main
from lensml.commands.verify import verify_results
from lensml.data.checksums import FOLDER, checksum_of_bytes, checksum_of_file, write_sealed
from lensml.data.files import clear_leftovers, write_bytes


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
    assert verdict.stores == 25  # splits of classes and domains, pool, proxies; five of fits
    assert verdict.files > 200
