"""Fixtures that the test files share: the shipped configuration, small domains, small datasets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
from toy.configuration import DOMAINS, configured

from lensml.data.checksums import record_outputs
from lensml.data.files import write_bytes
from lensml.schema import Config
from lensml.schema.simulation import Domain
from lensml.schema.yaml_reader import deep_merge
from lensml.simulate.dataset import seal_dataset, simulate_block

if TYPE_CHECKING:
    from toy.study import Study

# The same examples in every run: a failure can be looked at again, and none comes out of the blue.
hypothesis.settings.register_profile("lensml", derandomize=True, deadline=None)
hypothesis.settings.load_profile("lensml")


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


@pytest.fixture
def results(tmp_path, domain, simulate_store) -> Path:
    """A folder of results with one dataset and the files of one job."""
    folder = tmp_path / "results"
    simulate_store(folder / "datasets", domain(num_pix=16), "cdm")
    for name in ("tables/a.csv", "tables/a.md"):
        write_bytes(folder / name, name.encode() * 10)
    record_outputs(folder, [folder / "tables/a.csv", folder / "tables/a.md"], "tabulate")
    return folder


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
    """Folder of a complete smoke run; tests add to it, and change nothing in it."""
    from toy.smoke_run import snakemake

    folder = tmp_path_factory.mktemp("smoke run λ")  # such names are a user's right
    snakemake(folder)
    return folder
