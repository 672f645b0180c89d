"""Fixtures that the test files share: the shipped configuration, small domains, small datasets."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
from threadpoolctl import threadpool_limits
from toy import schedule
from toy.configuration import DOMAINS, configured
from toy.shared import folder_of_all, made_once

from lensml.data.checksums import record_outputs
from lensml.data.files import write_bytes
from lensml.data.manifest import manifest_path
from lensml.schema import Config
from lensml.schema.simulation import Domain
from lensml.schema.yaml_reader import deep_merge
from lensml.simulate.dataset import seal_dataset, simulate_block

if TYPE_CHECKING:
    from toy.fits import FittedImages
    from toy.study import Study

# The same examples in every run: a failure can be looked at again, and none comes out of the blue.
hypothesis.settings.register_profile("lensml", derandomize=True, deadline=None)
hypothesis.settings.load_profile("lensml")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Processes of ``-n auto``, which is the default."""
    return schedule.n_processes(config)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The order in which tests are handed out."""
    schedule.long_first(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> schedule.LongFirst:
    """Who hands them out."""
    config.option.loadscopereorder = False
    return schedule.LongFirst(config, log)


@pytest.fixture(scope="session", autouse=True)
def one_thread_for_arrays() -> Iterator[None]:
    """Linear algebra and trees in one thread: processes share the cores."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="session")
def default_config() -> Config:
    """The shipped configuration with every domain of the catalogue."""
    return configured({"domains": DOMAINS})


@pytest.fixture(scope="session")
def domain(default_config: Config) -> Callable[..., Domain]:
    """Factory: a domain of the catalogue with changes, ``domain("euclid", num_pix=16)``.

    Mappings merge into what the catalogue says: ``domain("hst", instrument={"psf_fwhm": 0.2})``.
    """

    def make(name: str = "euclid", **changes: Any) -> Domain:
        content = default_config.domain(name).model_dump(exclude_none=True)
        return Domain.model_validate(deep_merge(content, changes))

    return make


@pytest.fixture
def one_torch_thread() -> Iterator[None]:
    """One thread, as in the workflow's jobs; torch's settings are put back afterwards."""
    import torch

    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Stores of two small domains and the classifiers of the source; nobody writes to it."""
    from toy.study import make_study

    return make_study(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="session")
def simulate_store() -> Callable[..., Path]:
    """Factory: a sealed dataset in ``folder``, as the workflow's rules lay it out."""

    def make(
        folder: Path,
        domain: Domain,
        substructure: str,
        split: str = "train",
        *,
        n_images: int = 10,
        images_per_block: int = 4,
        seed: int = 1,
        engine: str = "numba",
        precision: str = "float32",
    ) -> Path:
        store = folder / domain.name / substructure / f"{split}.zarr"
        given: dict[str, Any] = {
            "domain": domain,
            "substructure": substructure,
            "split": split,
            "seed": seed,
            "images_per_block": images_per_block,
            "engine": engine,
            "precision": precision,
        }
        parts = []
        for block, start in enumerate(range(0, n_images, images_per_block)):
            part = store.with_name(f"{split}.parts") / f"{block}.npz"
            chunk = store / "image" / "c" / str(block) / "0" / "0"
            stop = min(start + images_per_block, n_images)
            simulate_block(chunk, part, start=start, stop=stop, **given)
            parts.append(part)
        seal_dataset(store, parts, n_images=n_images, **given)
        return store

    return make


@pytest.fixture(scope="session")
def fitted(tmp_path_factory, domain, simulate_store) -> FittedImages:
    """Images of two classes with their fits; nobody writes to them."""
    from toy.fits import fitted_images

    camera = domain("euclid", num_pix=48, supersampling_factor=2, refinement_factor=1)
    return fitted_images(tmp_path_factory.mktemp("fitted"), camera, simulate_store)


@pytest.fixture(scope="session")
def written_results(tmp_path_factory, domain, simulate_store) -> Path:
    """A folder of results with one dataset and the files of one job."""
    folder = tmp_path_factory.mktemp("written") / "results"
    store = simulate_store(folder / "datasets", domain(num_pix=16), "cdm")
    record_outputs(folder, [manifest_path(store)], "seal_dataset")
    for part in store.with_name("train.parts").iterdir():
        record_outputs(folder, [part], "simulate_block")
    for name in ("tables/a.csv", "tables/a.md"):
        write_bytes(folder / name, name.encode() * 10)
    record_outputs(folder, [folder / "tables/a.csv", folder / "tables/a.md"], "tabulate")
    return folder


@pytest.fixture
def results(tmp_path, written_results) -> Path:
    """The same to damage."""
    return shutil.copytree(written_results, tmp_path / "results")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Table of the largest errors of the kernel against lenstronomy, where tests recorded them."""
    lines = [
        f"  {report.nodeid.split('[')[-1].rstrip(']'):32s} {name}: {value}"
        for report in terminalreporter.getreports("passed")
        for name, value in report.user_properties
    ]
    if lines:
        terminalreporter.section("kernel against lenstronomy")
        terminalreporter.write_line("\n".join(lines))


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a complete smoke run, the same for every process; no test changes it."""
    from toy.smoke_run import snakemake

    def run(folder: Path) -> None:
        snakemake(folder)
        snakemake(folder, "transfer")

    # Such names are a user's right.
    return made_once(folder_of_all(tmp_path_factory) / "smoke run λ", run)
