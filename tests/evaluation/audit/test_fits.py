"""The table of fits: what could not be fitted, chi2 and pulls."""

from __future__ import annotations

import shutil
from typing import Any

import numpy as np
import pandas as pd
import pytest
import zarr
from toy.fits import CLASSES, N_FITTED
from toy.tables import by_name, outputs_in

from lensml.data.fits import OUTCOMES
from lensml.data.store_writer import seal
from lensml.evaluation.audit.fits import quality, tabulate_fits


@pytest.fixture
def spec(default_config):
    return default_config.evaluation.model_copy(update={"n_bootstrap": 100})


def runs_of(fitted):
    found = zip(CLASSES, fitted.stores("test"), fitted.fits("test"), strict=True)
    return [
        {"domain": "euclid", "substructure": name, "images": images, "fits": fits}
        for name, images, fits in found
    ]


def test_smooth_lenses_are_fitted_and_their_errors_are_right(fitted, spec):
    smooth, _ = runs_of(fitted)
    rows = by_name(quality(smooth, spec, seed=1))
    assert rows["share_modelled"].value == 1
    assert rows["share_good"].value == 1
    assert rows["chi2_median"].value == pytest.approx(1, abs=0.05)
    assert rows["n_fitted"].value + rows["n_not_converged"].value == N_FITTED
    pulls = [row.value for name, row in rows.items() if name.startswith("pull_")]
    assert min(pulls) == rows["pull_least"].value
    assert max(pulls) == rows["pull_largest"].value
    # Sixteen lenses fix a width to 18 %.
    assert np.median(pulls) == pytest.approx(1, abs=0.35)
    assert "pull_theta_E" in rows
    assert "pull_a3_cos" not in rows  # not free


def unfitted(fitted, folder, n):
    """The same fits, of which the first have another outcome."""
    run = dict(runs_of(fitted)[0])
    copy = folder / "fits" / "euclid" / "no_sub" / "test.zarr"
    shutil.copytree(run["fits"], copy)
    arrays: Any = zarr.open_group(copy, mode="a")
    columns = [arrays[name] for name in ("chi2", "z", "evidence")]
    columns += [a for kind in ("parameters", "errors") for _, a in arrays[kind].arrays()]
    for column in columns:
        column[:n] = np.nan
    arrays["outcome"][:n] = OUTCOMES.index("no_light")
    seal(copy, n_images=N_FITTED, images_per_chunk=N_FITTED, image_shape=(48, 48))
    return {**run, "fits": str(copy)}


def test_where_nothing_could_be_fitted_the_table_says_so(fitted, spec, tmp_path):
    rows = by_name(quality(unfitted(fitted, tmp_path, N_FITTED), spec, seed=1))
    assert rows["share_modelled"].value == rows["share_good"].value == 0
    assert rows["n_no_light"].value == N_FITTED
    assert not any(name.startswith(("pull", "chi2")) for name in rows)


def test_images_that_could_not_be_fitted_are_counted(fitted, spec, tmp_path):
    rows = by_name(quality(unfitted(fitted, tmp_path, N_FITTED // 4), spec, seed=1))
    assert rows["share_modelled"].value == 0.75
    assert rows["share_modelled"].ci_low < 0.75 < rows["share_modelled"].ci_high
    assert rows["share_good"].value == 0.75
    assert rows["n_no_light"].value == N_FITTED // 4
    assert rows["n_failed"].value == 0


def test_a_row_per_class_of_every_domain(fitted, spec, tmp_path):
    outputs = outputs_in(tmp_path)
    tabulate_fits(runs_of(fitted), outputs, spec, seed=1)
    table = pd.read_csv(outputs[0])
    assert list(dict.fromkeys(table["substructure"])) == list(CLASSES)
    assert set(table["domain"]) == {"euclid"}
    assert "pull_least" not in set(table.loc[table["substructure"] == "cdm", "metric"])
    assert "| euclid | no_sub |" in (tmp_path / "table.md").read_text()


def test_fits_of_other_images_are_refused(fitted, spec, simulate_store, domain, tmp_path):
    other = simulate_store(tmp_path, domain(num_pix=48), "no_sub", n_images=3)
    run = {**runs_of(fitted)[0], "images": str(other)}
    with pytest.raises(ValueError, match=f"{N_FITTED} fits of 3 images"):
        quality(run, spec, seed=1)
