"""Stores are opened by xarray as they lie, with names of axes and units."""

import warnings

import numpy as np
import pytest
import xarray as xr
from toy.datasets import N

from lensml.data.store import open_store


def opened(path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return xr.open_datatree(path, engine="zarr", consolidated=False)


@pytest.mark.parametrize("substructure", ["no_sub", "cdm", "vortex"])
def test_a_dataset_is_opened_with_its_truth_and_perturbers(stores, substructure):
    store = stores[substructure]
    tree = opened(store)
    image = tree["image"]
    assert image.dims == ("lens", "y", "x")
    assert image.attrs["units"] == "e-/s per pixel"
    np.testing.assert_array_equal(image.values, open_store(store).image.load())
    assert tree["truth/theta_E"].dims == ("lens",)
    assert tree["truth/theta_E"].attrs["units"] == "arcsec"
    bright = image.where(tree["truth/theta_E"] > 1.2, drop=True)  # as users would choose
    assert 0 < bright.sizes["lens"] < N
    offset = tree["perturbers/offset"]
    assert offset.dims == ("boundary",)
    columns = [c for name, c in tree["perturbers"].data_vars.items() if name != "offset"]
    assert all(column.dims == ("perturber",) for column in columns)
    assert all(column.sizes["perturber"] == np.asarray(offset)[-1] for column in columns)


@pytest.mark.slow
def test_every_store_of_a_run_is_opened(finished):
    stores = [path for path in finished.rglob("*.zarr") if (path / "zarr.json").is_file()]
    kinds = {path.relative_to(finished / "results").parts[0] for path in stores}
    assert {"datasets", "fits", "proxies"} <= kinds
    for path in stores:
        tree = opened(path)
        assert any(array.dims == ("lens", "y", "x") for array in tree.data_vars.values()), path
