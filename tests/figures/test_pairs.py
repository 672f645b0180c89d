"""Every pair in one figure: what is drawn where, and what is said of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.image
import pandas as pd
import pytest
from matplotlib.axes import Axes
from toy import claims
from toy.figure_tables import STYLE, write_adaptation

from lensml.figures import plot_pairs
from lensml.figures.pairs import STAGES, _lines
from lensml.figures.published import PUBLISHED
from lensml.tables import ALL_SEEDS

LABELS = {"euclid": "Euclid", "hst": "HST"}
TARGETS = ("model_iii", "model_ii")  # of the record
RECORD = claims.RECORDS / "harmonised" / "adaptation.csv"


@pytest.fixture
def drawn(monkeypatch) -> dict[str, list[tuple[Any, ...]]]:
    """Marker -> value, place and half-widths of everything that is drawn with an interval."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    errorbar = Axes.errorbar

    def noted(self: Axes, x: float, y: float, **look: Any) -> Any:
        found.setdefault(look["fmt"], []).append((x, y, look["xerr"]))
        return errorbar(self, x, y, **look)

    monkeypatch.setattr(Axes, "errorbar", noted)
    return found


def draw(tables: list[Path], folder: Path) -> Path:
    output = folder / "pairs.png"
    plot_pairs(tables, labels=LABELS, title="pairs", style=STYLE, output=[output])
    return output


def test_stages_stand_in_their_order_with_the_interval_over_seeds(drawn, tmp_path: Path):
    output = draw([RECORD], tmp_path)
    assert matplotlib.image.imread(output).std() > 0.01
    table = pd.read_csv(RECORD)
    for stage, shape in STAGES.items():
        rows = table.loc[(table["method"] == stage) & (table["model"] == "vit_conv_stem")]
        rows = rows.loc[rows["seed"].astype(str) == ALL_SEEDS]
        expected = [
            rows.loc[rows["metric"] == metric, ["value", "ci_low", "ci_high"]].to_numpy()
            for metric in ("roc_auc_ovr_macro", "accuracy")
        ]
        values = [row for part in expected for row in part]
        assert [x for x, _, _ in drawn[shape]] == [row[0] for row in values]
        for (x, _, ((left,), (right,))), (_, low, high) in zip(drawn[shape], values, strict=True):
            assert (x - left, x + right) == pytest.approx((low, high))
    first = [drawn[shape][0][1] for shape in STAGES.values()]
    assert first == sorted(first) == [0, 1, 2, 3]


def test_a_pair_without_a_stage_shows_what_it_has(drawn, tmp_path: Path):
    path = write_adaptation(tmp_path / "adaptation.csv")  # no harmonised images
    draw([path], tmp_path)
    assert {shape: len(rows) for shape, rows in drawn.items()} == {"o": 2, "^": 2, "P": 2}


def test_of_several_seeds_without_a_row_over_them_the_mean_is_drawn_and_it_is_said(
    drawn, tmp_path: Path
):
    path = write_adaptation(tmp_path / "adaptation.csv")
    draw([path], tmp_path)
    table = pd.read_csv(path)
    own = table.loc[(table["method"] == "adda") & (table["metric"] == "accuracy"), "value"]
    assert drawn["^"][1][0] == pytest.approx(own.mean())
    (line,) = _lines([path], LABELS)
    assert line.name == "Euclid\nto HST\n(3 seeds, not in the interval)"
    assert [line.name.splitlines()[-1] for line in _lines([RECORD], {})] == ["(5 seeds)"] * 2


def test_pairs_that_two_records_have_and_models_are_told_apart(tmp_path: Path):
    paths = [write_adaptation(tmp_path / f"{n}.csv", models=("cnn", "vit")) for n in "ab"]
    names = [line.name for line in _lines(paths, LABELS)]
    assert len(set(names)) == 4
    assert f"({tmp_path.name}/a)" in names[0]
    assert "CNN" in names[0]


def test_the_baseline_and_published_values_stand_beside_their_pair():
    lines = _lines([RECORD], {})
    trivial = pd.read_csv(RECORD).query("model == 'radial_profile' and metric == 'accuracy'")
    best = [trivial.loc[trivial["target_domain"] == t, "value"].max() for t in TARGETS]
    assert [x.baseline["accuracy"] for x in lines] == best
    assert [len(x.published) for x in lines] == [2, 0]
    assert [x.height for x in lines] == [5, 4]


def test_published_values_are_those_of_the_guide():
    (guide,) = [x for x in claims.given()["docs/results.md"] if "ResNet-18, equivariant" in x]
    found = PUBLISHED["model_ii", "model_iii"]
    assert [x.model for x in found] == ["ResNet-18", "equivariant CNN"]
    for metric in ("roc_auc_ovr_macro", "accuracy"):
        assert ", ".join(f"{x.values[metric]:.3f}" for x in found) in guide


def test_what_cannot_be_drawn_is_refused_by_name(tmp_path: Path):
    with pytest.raises(ValueError, match="nothing to plot"):
        draw([], tmp_path)
    path = write_adaptation(tmp_path / "adaptation.csv")
    table = pd.read_csv(path)
    table.loc[table["method"] == "adabn"].to_csv(path, index=False)
    with pytest.raises(ValueError, match=r"adaptation\.csv: no row of a network; expected"):
        draw([path], tmp_path)
    table.drop(columns="ci_low").to_csv(path, index=False)
    with pytest.raises(ValueError, match="column 'ci_low' is missing"):
        draw([path], tmp_path)
    assert not (tmp_path / "pairs.png").exists()
