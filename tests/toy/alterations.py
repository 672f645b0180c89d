"""Random alterations of a folder of results, each of which ``lensml verify`` must name."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from lensml.data.checksums import FOLDER
from lensml.data.manifest import manifest_path

Touched = list[Path]  # what was altered: files, folders of columns, stores
Jobs = dict[Path, Path]
MOST = 12  # alterations side by side
GROUPS = ("truth", "perturbers", "parameters", "errors", "statistics")  # of columns


@contextmanager
def altered(results: Path, kind: str, rng: np.random.Generator) -> Iterator[Touched]:
    """Alter a folder of results and put it right again afterwards.

    Args:
        results: of a finished run.
        kind: key of :data:`KINDS`.
        rng: chooses what is altered, and how.

    Yields:
        What must be named. Every alteration changes content: two equal files are not exchanged.
    """
    with tempfile.TemporaryDirectory() as folder:
        kept: dict[Path, Path] = {}

        def keep(path: Path) -> Path:
            """Keep what a path holds until it is put back; returns the copy."""
            kept[path] = Path(folder) / str(len(kept))
            (shutil.copytree if path.is_dir() else shutil.copy2)(path, kept[path])
            return kept[path]

        try:
            yield KINDS[kind](results, rng, keep)
        finally:
            for path, copy in kept.items():
                put(copy, path)


def several_altered(
    stack: ExitStack, results: Path, kinds: deque[str], rng: np.random.Generator, jobs: Jobs
) -> list[tuple[str, Touched]]:
    """Alterations side by side, until one meets the files of a job that another has touched.

    What one of them does is therefore named for its own sake. That one is undone and waits.

    Args:
        stack: puts all right again when it is left.
        kinds: keys of :data:`KINDS` that are still to be done; those that were are taken off.
        jobs: :func:`jobs_of` the results as they were written.
    """
    done: list[tuple[str, Touched]] = []
    taken: set[Path] = set()
    while kinds and len(done) < MOST:
        with ExitStack() as alone:
            try:
                touched = alone.enter_context(altered(results, kinds[0], rng))
            except (ValueError, OSError):  # what it drew is altered already
                if not done:
                    raise
                break
            met = {_job(path, jobs) for path in touched}
            if met & taken:
                break
            taken |= met
            done.append((kinds.popleft(), touched))
            stack.push(alone.pop_all())
    return done


def _job(path: Path, jobs: Jobs) -> Path:
    """Record of the job that made a path, or the store in which an alteration has put it."""
    return next((jobs[above] for above in (path, *path.parents) if above in jobs), path)


def jobs_of(results: Path) -> Jobs:
    """File, store, column or record -> record of the job that made it."""
    jobs: Jobs = {}
    for record in sorted(p for p in (results / FOLDER).rglob("*.json")):
        jobs[record] = record
        for name in json.loads(record.read_text())["files"]:
            path = results / name
            jobs[path] = record
            if name.endswith(".manifest.json"):
                store = path.with_name(path.name.replace(".manifest.json", ".zarr"))
                jobs |= dict.fromkeys((store, *store.rglob("*")), record)
    return jobs


def named(touched: Touched, results: Path, said: list[str]) -> bool:
    """Whether the lines of a report name all that was touched.

    A store is named by any of its files or by its manifest, a record by the files that it is of.
    """
    return all(
        any(name in line for name in names(path, results) for line in said) for path in touched
    )


def names(path: Path, results: Path) -> list[str]:
    found = [f"{path}"]
    if path.suffix == ".zarr":
        found.append(f"{manifest_path(path)}")
    if FOLDER in path.parts:  # a record that is gone leaves files that nothing vouches for
        first = path.relative_to(results / FOLDER).as_posix().removesuffix(".json")
        found.append(f"no record: {results / first}")
    return found


def put(source: Path, target: Path) -> None:
    if target.is_dir():
        shutil.rmtree(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    (shutil.copytree if source.is_dir() else shutil.copy2)(source, target)


def content(path: Path) -> bytes:
    """What a file or a folder holds."""
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    return b"".join(str(f.relative_to(path)).encode() + f.read_bytes() for f in files)


def files_of(results: Path) -> list[Path]:
    """Every file, records and manifests too."""
    return sorted(p for p in results.rglob("*") if p.is_file() and p.stat().st_size)


def stores_of(results: Path) -> list[Path]:
    return sorted(p for p in results.rglob("*.zarr") if p.is_dir())


def chunks_of(results: Path) -> list[Path]:
    """Chunks of images, and of the maps of their fits."""
    return sorted(p for store in stores_of(results) for p in store.glob("*/c/*/0/0"))


def columns_of(store: Path) -> list[Path]:
    return sorted(p for group in GROUPS for p in store.glob(f"{group}/*/"))


def with_columns(results: Path) -> list[Path]:
    """Stores that have some: fits of a pool have none."""
    return [store for store in stores_of(results) if columns_of(store)]


def one(found: list[Path], rng: np.random.Generator) -> Path:
    return found[rng.integers(len(found))]


def two(draw: Callable[[], tuple[Path, Path]]) -> tuple[Path, Path]:
    """Two that differ in content."""
    for _ in range(1000):
        a, b = draw()
        if content(a) != content(b):
            return a, b
    raise ValueError("there are no two that differ")


def flip_bit(results: Path, rng: np.random.Generator, keep: Callable) -> Touched:
    path = one(files_of(results), rng)
    keep(path)
    changed = bytearray(path.read_bytes())
    bit = int(rng.integers(8 * len(changed)))
    changed[bit // 8] ^= 1 << bit % 8
    path.write_bytes(bytes(changed))
    return [path]


def truncate(results: Path, rng: np.random.Generator, keep: Callable) -> Touched:
    path = one(files_of(results), rng)
    keep(path)
    path.write_bytes(path.read_bytes()[: rng.integers(path.stat().st_size)])
    return [path]


def delete_file(results: Path, rng: np.random.Generator, keep: Callable) -> Touched:
    path = one(files_of(results), rng)
    keep(path)
    path.unlink()
    return [path]


def delete_store(results: Path, rng: np.random.Generator, keep: Callable) -> Touched:
    store = one(stores_of(results), rng)
    for path in (store, *([manifest_path(store)] if rng.integers(2) else [])):
        keep(path)
        (shutil.rmtree if path.is_dir() else Path.unlink)(path)
    return [store]


def exchange(a: Path, b: Path, keep: Callable) -> None:
    copy_a, copy_b = keep(a), keep(b)
    put(copy_a, b)
    put(copy_b, a)


def swap_chunks(results: Path, rng: np.random.Generator, keep: Callable) -> Touched:
    """Of one store or of two: all whole, with a crc32c of their own that is right."""
    chunks = chunks_of(results)
    a, b = two(lambda: (one(chunks, rng), one(chunks, rng)))
    exchange(a, b, keep)
    return [a, b]


def swap_columns(results: Path, rng: np.random.Generator, keep: Callable) -> Touched:
    def draw() -> tuple[Path, Path]:
        columns = columns_of(one(with_columns(results), rng))
        return one(columns, rng), one(columns, rng)

    a, b = two(draw)
    exchange(a, b, keep)
    return [a, b]


def swap_stores(results: Path, rng: np.random.Generator, keep: Callable) -> Touched:
    """With their manifests, or without."""
    stores = stores_of(results)
    a, b = two(lambda: (one(stores, rng), one(stores, rng)))
    exchange(a, b, keep)
    if rng.integers(2):
        exchange(manifest_path(a), manifest_path(b), keep)
    return [a, b]


def swap_files(results: Path, rng: np.random.Generator, keep: Callable) -> Touched:
    """Tables, weights, manifests, records."""
    files = [p for p in files_of(results) if not any(".zarr" in part for part in p.parts)]
    a, b = two(lambda: (one(files, rng), one(files, rng)))
    exchange(a, b, keep)
    return [a, b]


def copy_over(results: Path, rng: np.random.Generator, keep: Callable) -> Touched:
    """A chunk or a column in place of another."""

    def draw() -> tuple[Path, Path]:
        chunks, columns = chunks_of(results), columns_of(one(with_columns(results), rng))
        kind = chunks if rng.integers(2) else columns
        return one(kind, rng), one(kind, rng)

    source, target = two(draw)
    keep(target)
    put(source, target)
    return [target]


def stale_copy(results: Path, rng: np.random.Generator, keep: Callable) -> Touched:
    """What another run left under the same name (another class, domain or seed), times and all.

    A store brings its manifest with it.
    """
    everything = [*files_of(results), *stores_of(results)]
    everything = [p for p in everything if FOLDER not in p.parts and ".parts" not in p.parent.name]

    def draw() -> tuple[Path, Path]:
        target = one(everything, rng)
        return one([p for p in everything if p.name == target.name], rng), target

    source, target = two(draw)
    keep(target)
    put(source, target)
    if target.suffix == ".zarr":
        keep(manifest_path(target))
        put(manifest_path(source), manifest_path(target))
    return [target]


def wrong_record(results: Path, rng: np.random.Generator, keep: Callable) -> Touched:
    """A hash in a record or manifest replaced by another that looks as good."""
    sealed = [*(results / FOLDER).rglob("*.json"), *results.rglob("*.manifest.json")]
    path = one(sorted(p for p in sealed if p.is_file()), rng)
    keep(path)
    record = json.loads(path.read_text())
    name = sorted(record["files"])[rng.integers(len(record["files"]))]
    record["files"][name][1] = rng.bytes(32).hex()
    path.write_text(json.dumps(record, indent=2, sort_keys=True) + "\n")
    return [path]


KINDS: dict[str, Callable[[Path, np.random.Generator, Callable], Touched]] = {
    "bit flipped": flip_bit,
    "truncated": truncate,
    "deleted": delete_file,
    "store deleted": delete_store,
    "chunks exchanged": swap_chunks,
    "columns exchanged": swap_columns,
    "stores exchanged": swap_stores,
    "files exchanged": swap_files,
    "copied over another": copy_over,
    "stale copy": stale_copy,
    "hash changed": wrong_record,
}
