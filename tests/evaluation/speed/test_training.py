"""The benchmark of training."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest
from toy.devices import CLASSIFIER, MAE, STEM, VIT, setting_with

from lensml.evaluation.speed.training import MASKED_AUTOENCODER, Recipes, benchmark_training
from lensml.schema.speed import TrainingSpeed
from lensml.training.engine.stopwatch import PIECES

pytestmark = pytest.mark.usefixtures("one_torch_thread")


@pytest.fixture(scope="module")
def measured(domain, tmp_path_factory):
    """Folder with the table of one tiny run."""
    folder = tmp_path_factory.mktemp("measured")
    benchmark_training(
        domain("euclid", num_pix=16),
        2,
        Recipes(CLASSIFIER, {"vit": VIT, "stem": STEM}, MAE),
        TrainingSpeed(domain="euclid", n_images=12, steps=2, repeats=3),
        [str(folder / f"speed.{ending}") for ending in ("csv", "md", "tex")],
        str(folder / "run.json"),
        confidence=0.95,
        setting=setting_with(folder),
    )
    return folder


def test_the_shares_of_a_step_add_up(measured):
    table: Any = pd.read_csv(measured / "speed.csv")
    assert list(dict.fromkeys(table["network"])) == ["vit", "stem", MASKED_AUTOENCODER]
    assert (table["ci_low"] <= table["value"]).all()
    assert (table["value"] <= table["ci_high"]).all()
    for _, rows in table.groupby("network"):
        quantities = rows.set_index("quantity")
        value, shares = quantities["value"], quantities.loc[[f"share_{p}" for p in PIECES]]
        # The shares of a turn add up to 1; of three turns, the interval ends at the extremes.
        assert shares["ci_low"].sum() <= 1 + 1e-3
        assert shares["ci_high"].sum() >= 1 - 1e-3
        shares = shares["value"]
        assert (shares.drop("share_average") > 0).all()
        assert 0 < value["share_outside"] < 1
        seconds = value["ms_per_step"] / 1e3
        assert value["images_per_second"] * seconds == pytest.approx(12, rel=1e-3)


def test_the_table_has_a_row_per_network_and_the_record_a_machine(measured):
    lines = (measured / "speed.md").read_text().splitlines()
    assert [line.split(" | ")[0] for line in lines[2:5]] == ["| vit", "| stem", "| mae"]
    assert "outside %" in lines[0]
    assert r"outside \%" in (measured / "speed.tex").read_text()
    record = json.loads((measured / "run.json").read_text())
    assert (record["precision"], record["threads"]) == ("float32", 1)
