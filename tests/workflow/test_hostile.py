"""Runs in bad surroundings: each fault is one clear line, and nothing comes out silently wrong."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from toy.smoke_run import command, copy_of_datasets, digests, refusals, snakemake

STORE = "results/datasets/euclid/cdm/train.zarr"
WEIGHTS = "results/classification/euclid/vit_conv_stem/seed0/weights.safetensors"
A_STORE = "results/datasets/hst/no_sub/test.manifest.json"

pytestmark = [pytest.mark.workflow, pytest.mark.slow]


def works(*arguments: str) -> bool:
    try:
        return subprocess.run(arguments, capture_output=True).returncode == 0
    except OSError:
        return False


def error_lines(output: str) -> list[str]:
    """What the scripts say of an error: one line per job that failed."""
    return [line for line in output.splitlines() if "(details: logs/" in line]


@pytest.fixture
def damaged(finished, tmp_path) -> Path:
    """Folder with the datasets of the smoke run, known to Snakemake as finished."""
    return copy_of_datasets(finished, tmp_path)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    rewrite(path, bytes(content))


def rewrite(path: Path, content: bytes) -> None:
    """Change a file as a failing disk does: its times stay."""
    times = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


DAMAGE = {
    "flipped bit": flip,
    "truncated": lambda path: rewrite(path, path.read_bytes()[:-100]),
    "zeroed": lambda path: rewrite(path, bytes(path.stat().st_size)),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_chunk_stops_training_before_it_starts(damaged, damage):
    DAMAGE[damage](damaged / STORE / "image/c/1/0/0")
    done = snakemake(damaged, WEIGHTS, check=False)
    assert done.returncode != 0
    (line,) = error_lines(done.stderr)
    assert f"{STORE}/image/c/1/0/0 (images 64 to 95)" in line
    assert line.startswith("train_classifier: ")
    assert "The same command goes on where it stopped" in done.stderr
    assert not (damaged / WEIGHTS).exists()
    assert not (damaged / "state").exists()


def test_a_deleted_chunk_is_named_and_made_again_as_the_error_says(damaged):
    chunk, manifest = damaged / STORE / "image/c/1/0/0", STORE.replace(".zarr", ".manifest.json")
    content = chunk.read_bytes()
    chunk.unlink()
    done = snakemake(damaged, WEIGHTS, check=False)
    (line,) = error_lines(done.stderr)
    assert "missing; delete it, and train.manifest.json" in line
    (damaged / manifest).unlink()
    snakemake(damaged, manifest)
    assert chunk.read_bytes() == content


def test_a_deleted_column_stops_the_job_that_needs_it(damaged):
    shutil.rmtree(damaged / STORE / "truth" / "theta_E")
    done = snakemake(damaged, WEIGHTS, check=False)
    (line,) = error_lines(done.stderr)
    assert "truth/theta_E" in line
    assert "missing" in line


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    folder = tmp_path / "small disk"
    folder.mkdir()
    if not works("mount", "-t", "tmpfs", "-o", "size=6M", "tmpfs", str(folder)):
        pytest.skip("mounting a small disk takes root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(small_disk, finished):
    done = snakemake(small_disk, "datasets", check=False)
    assert done.returncode != 0
    lines = error_lines(done.stderr)
    assert lines
    unclear = [x for x in lines if not re.search(r"No space left on device: 'results/\S+'", x)]
    assert unclear == []
    assert not list(small_disk.rglob("*.tmp"))
    written, whole = digests(small_disk / "results"), digests(finished / "results")
    assert {name for name in written if "/image/c/" in name}
    for name, digest in written.items():
        if not name.startswith(".checksums"):
            assert digest == whole[name]


def test_a_disk_that_cannot_be_written_to_is_one_line(small_disk):
    (small_disk / "results").mkdir()
    if not works("mount", "-t", "tmpfs", "-o", "size=1M,ro", "tmpfs", str(small_disk / "results")):
        pytest.skip("mounting takes root")
    try:
        done = snakemake(small_disk, A_STORE, check=False)
    finally:
        subprocess.run(["umount", str(small_disk / "results")], check=True)
    assert done.returncode != 0
    assert "Read-only file system: 'results" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_second_run_in_a_folder_is_refused(tmp_path):
    first = subprocess.Popen(
        command("datasets", cores=1),
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob(".snakemake/locks/*")) and time.monotonic() < deadline:
            time.sleep(0.05)
        second = snakemake(tmp_path, "datasets", check=False)
        assert first.poll() is None
    finally:
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
    assert second.returncode != 0
    assert "lock" in second.stderr.lower()


def test_no_network_and_no_home_are_needed(damaged, tmp_path, finished):
    alone = ["unshare", "--net"] if works("unshare", "--net", "true") else []
    environment = {**os.environ, "HOME": "/dev/null/nowhere"}
    environment |= {"XDG_CACHE_HOME": str(tmp_path / "cache"), "MPLCONFIGDIR": str(tmp_path)}
    (damaged / A_STORE).unlink()
    targets = [A_STORE, WEIGHTS, "results/figures/gallery/euclid.png"]
    done = subprocess.run(
        [*alone, *command(*targets)],
        cwd=damaged,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert (damaged / WEIGHTS).read_bytes() == (finished / WEIGHTS).read_bytes()


FEW = {
    "one class": ({"substructures": ["cdm"]}, "substructures"),
    "no class": ({"substructures": []}, "substructures"),
    "an empty class": ({"simulation": {"n_train": 0}}, "simulation.n_train = 0"),
    "an empty test": ({"simulation": {"n_test": 0}}, "simulation.n_test = 0"),
    "fewer images than a batch": (
        {"classifier": {"batch_size": 512}},
        "classifier.batch_size = 512: must be at most the 288 training images of 3 classes",
    ),
}


@pytest.mark.parametrize("case", FEW)
def test_too_little_to_classify_is_named_before_any_job(case, tmp_path):
    content, named = FEW[case]
    assert any(named in line for line in refusals(tmp_path, content))
