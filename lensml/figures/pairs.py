"""Adaptation in one figure: of every pair the way from the source's classifier to the oracle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from lensml.figures.published import PUBLISHED, Published
from lensml.figures.style import (
    CHANCE,
    COLORS,
    Style,
    apply_style,
    legend_below,
    new_figure,
    readable,
    save,
)
from lensml.figures.summary import ADAPTATION_METRICS, BASELINE, INTERVAL
from lensml.tables import of_seeds, over_seeds, read_table

# The way, from top to bottom of a pair's rows; shapes for readers who tell no colours apart.
STAGES = {"source_only": "o", "source_harmonised": "s", "adda": "^", "oracle": "P"}
SHAPES = ("D", "v", "X", "p")  # of published values, in turn
JUDGED_BY_TEST = "adda_test_selected"  # whose colour published values have: the same protocol
KEYS = ["source_domain", "target_domain", "model", "method"]
BETWEEN = 0.9  # pairs, in rows
ROW = 0.17  # inches


@dataclass(frozen=True)
class Line:
    """A pair of domains as one record has it.

    Attributes:
        name: of its place on the axis.
        rows: of the table, one for every stage and metric.
        baseline: metric -> the better value of the baseline that is no network.
        published: what others say of the pair.
    """

    name: str
    rows: pd.DataFrame
    baseline: dict[str, float]
    published: Sequence[Published]

    @property
    def height(self) -> int:
        """Rows that it takes: a stage each, and one for what others say."""
        return len(set(self.rows["method"])) + bool(self.published)


def plot_pairs(
    tables: Sequence[str | Path],
    *,
    labels: Mapping[str, str],
    title: str,
    style: Style,
    output: Sequence[str | Path],
) -> None:
    """Draw AUC and accuracy on the target of every pair: source only, one camera, ADDA, oracle.

    A pair has the stages that its table has. Of several seeds the row over seeds is drawn, with
    its interval over systems and seeds; of older tables without that row the mean of the seeds,
    and of their intervals over systems. Published values have no interval.

    Args:
        tables: CSV files with columns ``source_domain``, ``target_domain``, ``model``,
            ``method``, ``seed``, ``metric``, ``value``, ``ci_low`` and ``ci_high``, one per run.
        labels: of domains by name; one without stands for itself.
        title: above all panels.
        style: look of the figure.
        output: files to write, .png or .pdf.

    Raises:
        ValueError: there is no table, one lacks a column, or has a network in no stage.
    """
    lines = _lines([Path(table) for table in tables], labels)
    shapes = _shapes(lines)
    height = ROW * sum(line.height + BETWEEN for line in lines) + 1.3
    with apply_style(style):
        figure, axes = new_figure(
            style, rows=1, columns=len(ADAPTATION_METRICS), height=height, title=title
        )
        for ax, (metric, (label, chance)) in zip(axes[0], ADAPTATION_METRICS.items(), strict=True):
            places = _draw(ax, lines, metric, shapes)
            ax.axvline(chance, color=CHANCE, linestyle="--", linewidth=0.8)
            ax.set_xlabel(label)
            names = [line.name if ax is axes[0, 0] else "" for line in lines]
            ax.set_yticks(places, names)
        legend_below(figure, _handles(lines, shapes), style=style)
        save(figure, output)


def _lines(tables: Sequence[Path], labels: Mapping[str, str]) -> list[Line]:
    """Every pair of every table; one that several tables have is called by its table, too."""
    if not tables:
        raise ValueError("tables: nothing to plot; expected a table of adaptation or more")
    found = [(path, *part) for path in tables for part in _parts(path)]
    models = {key[2] for _, key, _, _ in found}
    keys = [key for _, key, _, _ in found]
    lines = []
    for path, key, rows, baseline in found:
        source, target, model = key
        parts = [f"{labels.get(source, source)}\nto {labels.get(target, target)}"]
        parts += [readable(model)] if len(models) > 1 else []
        parts += [f"({path.parent.name}/{path.stem})"] if keys.count(key) > 1 else []
        parts += [_seeds(rows)]
        own = PUBLISHED.get((source, target), ())
        lines.append(Line("\n".join(parts), rows, baseline, own))
    return lines


def _parts(path: Path) -> Iterator[tuple[tuple[str, str, str], pd.DataFrame, dict[str, float]]]:
    """Pair and model, rows of the stages, and the baseline, of a table."""
    table = read_table(path, [*KEYS, "seed", "metric", *INTERVAL])
    table = table.loc[table["metric"].isin(list(ADAPTATION_METRICS))]
    network = table.loc[(table["model"] != BASELINE) & table["method"].isin(list(STAGES))]
    if network.empty:
        raise ValueError(
            f"{path}: no row of a network; expected metric {' or '.join(ADAPTATION_METRICS)} "
            f"and method {', '.join(STAGES)}"
        )
    for key, rows in network.groupby(KEYS[:3], sort=False):
        source, target, model = map(str, key)
        pair = (table["source_domain"] == source) & (table["target_domain"] == target)
        trivial = table.loc[pair & (table["model"] == BASELINE)]
        yield (source, target, model), rows, trivial.groupby("metric")["value"].max().to_dict()


def _seeds(rows: pd.DataFrame) -> str:
    """How many, and whether an interval is of systems alone where there are several."""
    n = len(set(of_seeds(rows)["seed"]))
    together = len(of_seeds(rows)) < len(rows)
    return (
        "(1 seed)"
        if n == 1
        else f"({n} seeds)"
        if together
        else f"({n} seeds, not in the interval)"
    )


def _shapes(lines: Sequence[Line]) -> dict[str, str]:
    """Markers of what others published, by its name."""
    names = dict.fromkeys(found.name for line in lines for found in line.published)
    return {name: SHAPES[k % len(SHAPES)] for k, name in enumerate(names)}


def _draw(ax: Axes, lines: Sequence[Line], metric: str, shapes: Mapping[str, str]) -> list[float]:
    """Every pair below the one before; the middles of their places."""
    top, places = 0.0, []
    for line in lines:
        places.append(top + (line.height - 1) / 2)
        _draw_line(ax, line, metric, top, shapes)
        top += line.height + BETWEEN
        ax.axhline(top - (1 + BETWEEN) / 2, color="0.85", linewidth=0.5)
    ax.set_ylim(top - (1 + BETWEEN) / 2, -(1 + BETWEEN) / 2)
    ax.grid(axis="x", color="0.9", linewidth=0.6)
    ax.tick_params(axis="y", length=0)
    ax.set_axisbelow(True)
    return places


def _draw_line(ax: Axes, line: Line, metric: str, top: float, shapes: Mapping[str, str]) -> None:
    keys = [*KEYS, "metric"]
    rows = over_seeds(line.rows, keys)
    rows = rows.loc[rows["metric"] == metric]
    means = {str(stage): own[INTERVAL].mean() for stage, own in rows.groupby("method")}
    stages = [stage for stage in STAGES if stage in set(line.rows["method"])]
    way = [
        (*means[stage].to_numpy(float), top + k, stage)
        for k, stage in enumerate(stages)
        if stage in means
    ]
    ax.plot([step[0] for step in way], [step[3] for step in way], color="0.7", linewidth=0.8)
    for value, low, high, y, stage in way:
        reach = [[max(value - low, 0)], [max(high - value, 0)]]  # by rounding it may lie beside
        look = {"color": COLORS[stage], "ms": 4.5, "elinewidth": 1.2, "capsize": 0}
        ax.errorbar(value, y, xerr=reach, fmt=STAGES[stage], **look)
    if metric in line.baseline:
        ends = top - 0.4, top + line.height - 0.6
        ax.vlines(
            line.baseline[metric], *ends, color="black", linestyle=":", linewidth=0.9, zorder=1
        )
    for found in line.published:
        look = {"mfc": "white", "ms": 4.5, "color": COLORS[JUDGED_BY_TEST]}
        ax.plot(found.values[metric], top + len(stages), shapes[found.name], **look)


def _handles(lines: Sequence[Line], shapes: Mapping[str, str]) -> list[Line2D]:
    drawn = {method for line in lines for method in line.rows["method"]}
    handles = [
        Line2D([], [], color=COLORS[stage], marker=shape, ms=4.5, label=readable(stage))
        for stage, shape in STAGES.items()
        if stage in drawn
    ]
    look = {"color": COLORS[JUDGED_BY_TEST], "mfc": "white", "ms": 4.5, "linestyle": "none"}
    handles += [Line2D([], [], marker=shape, label=name, **look) for name, shape in shapes.items()]
    if any(line.baseline for line in lines):
        handles.append(Line2D([], [], color="black", linestyle=":", label=readable(BASELINE)))
    handles.append(Line2D([], [], color=CHANCE, linestyle="--", label="chance"))
    return handles
