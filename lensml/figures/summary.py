"""The study's numbers at a glance: adaptation, anomaly detection, sensitivity to strength."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from lensml.figures.style import (
    CHANCE,
    CLASS_LABELS,
    METHOD_LABELS,
    Style,
    apply_style,
    colors_of,
    in_known_order,
    legend_below,
    new_figure,
    readable,
    save,
    width_of,
)
from lensml.tables import of_seeds, read_table

INTERVAL = ["value", "ci_low", "ci_high"]
BASELINE = "radial_profile"  # no network, but a line beside them

# Metric -> label and value of guessing.
ADAPTATION_METRICS = {
    "roc_auc_ovr_macro": ("AUC, one against the rest, mean", 0.5),
    "accuracy": ("accuracy", 1 / 3),
}
ANOMALY_METRICS = {
    "roc_auc_cdm": (f"AUC, {CLASS_LABELS['cdm']}", 0.5),
    "roc_auc_vortex": (f"AUC, {CLASS_LABELS['vortex']}", 0.5),
    "roc_auc_any": ("AUC, any substructure", 0.5),
}
QUANTITIES = {
    "log10_m_sub_total": r"total substructure mass, $\log_{10}(M_\mathrm{sub} / M_\odot)$",
    "log10_axion_mass": r"axion mass, $\log_{10}(m_a / \mathrm{eV})$",
}


def plot_adaptation_summary(
    table: str | Path,
    *,
    source_domain: str,
    target_domain: str,
    title: str,
    style: Style,
    output: Sequence[str | Path],
) -> None:
    """Draw AUC and accuracy on the target domain of each method, one row of panels per model.

    Of the baseline that is no network, the best of its rows is a line.

    Args:
        table: CSV file with columns ``source_domain``, ``target_domain``, ``model``, ``method``,
            ``seed``, ``metric``, ``value``, ``ci_low`` and ``ci_high``.
        source_domain: domain with labels.
        target_domain: domain adapted to.
        title: above all panels.
        style: look of the figure.
        output: files to write, .png or .pdf.

    Raises:
        ValueError: if the table lacks a column, or rows of these domains or of a metric.
    """
    keys = ["source_domain", "target_domain", "model", "method", "seed", "metric"]
    results = of_seeds(read_table(table, [*keys, *INTERVAL]))
    wanted = {"source_domain": source_domain, "target_domain": target_domain}
    results = _select(results, wanted, ADAPTATION_METRICS, table)
    trivial = results.loc[results["model"] == BASELINE]
    baseline = trivial.groupby("metric")["value"].max().to_dict()
    results = results.loc[results["model"] != BASELINE]
    by_model = {str(name): rows for name, rows in results.groupby("model", sort=False)}
    _plot_intervals(
        by_model, ADAPTATION_METRICS, baseline, title=title, style=style, output=output
    )


def plot_anomaly_summary(
    table: str | Path, *, domain: str, title: str, style: Style, output: Sequence[str | Path]
) -> None:
    """Draw the AUC of each anomaly score against lenses without substructure.

    Args:
        table: CSV file with columns ``domain``, ``method``, ``score``, ``seed``, ``metric``,
            ``value``, ``ci_low`` and ``ci_high``; the first score of a method is its headline.
        domain: domain to show.
        title: above all panels.
        style: look of the figure.
        output: files to write, .png or .pdf.

    Raises:
        ValueError: if the table lacks a column, or rows of this domain or of a metric.
    """
    columns = ["domain", "method", "score", "seed", "metric"]
    results = of_seeds(read_table(table, [*columns, *INTERVAL]))
    headline = results.groupby("method", sort=False)["score"].transform("first")
    results = results.loc[results["score"] == headline]
    results = _select(results, {"domain": domain}, ANOMALY_METRICS, table)
    _plot_intervals({"": results}, ANOMALY_METRICS, {}, title=title, style=style, output=output)


def _select(
    results: pd.DataFrame,
    wanted: Mapping[str, str],
    metrics: Mapping[str, tuple[str, float]],
    path: str | Path,
) -> pd.DataFrame:
    """Rows of the wanted domains and metrics; each metric must have some."""
    for column, value in wanted.items():
        results = results.loc[results[column] == value]
    for metric in metrics:
        if metric not in set(results["metric"]):
            where = " and ".join(f"{column} '{value}'" for column, value in wanted.items())
            raise ValueError(f"{path}: no row of {where}; expected some of metric '{metric}'")
    return results.loc[results["metric"].isin(list(metrics))]


def _plot_intervals(
    groups: Mapping[str, pd.DataFrame],
    metrics: Mapping[str, tuple[str, float]],
    baseline: Mapping[str, float],
    *,
    title: str,
    style: Style,
    output: Sequence[str | Path],
) -> None:
    """A row of panels per group, a panel per metric, a line per method and for the baseline."""
    names = [str(name) for rows in groups.values() for name in rows["method"]]
    methods = in_known_order(names, METHOD_LABELS)
    colors = colors_of(methods)
    with apply_style(style):
        height = len(groups) * (0.3 * len(methods) + 0.5) + 1.2
        figure, axes = new_figure(
            style, rows=len(groups), columns=len(metrics), height=height, title=title
        )
        for row, (group, results) in zip(axes, groups.items(), strict=True):
            for column, (metric, (label, chance)) in enumerate(metrics.items()):
                ax = row[column]
                _draw_intervals(ax, results.loc[results["metric"] == metric], methods, colors)
                ax.axvline(chance, color=CHANCE, linestyle="--", linewidth=0.8)
                if metric in baseline:
                    ax.axvline(baseline[metric], color="black", linestyle=":", linewidth=0.9)
                labels = [readable(name) if column == 0 else "" for name in methods]
                ax.set_yticks(range(len(methods)), labels)
                ax.set_xlabel(label)
                if ax is not axes[0, column]:
                    ax.sharex(axes[0, column])  # models compare down a column
            row[0].set_title(readable(group), loc="left")
        handles = [
            Line2D([], [], color="black", marker="o", ms=3.5, label="one seed and its interval"),
            Line2D([], [], color=CHANCE, linestyle="--", label="chance"),
        ]
        if baseline:
            handles.append(Line2D([], [], color="black", linestyle=":", label=readable(BASELINE)))
        legend_below(figure, handles, style=style)
        save(figure, output)


def _draw_intervals(
    ax: Axes, results: pd.DataFrame, methods: Sequence[str], colors: Mapping[str, str]
) -> None:
    for place, method in enumerate(methods):
        rows = results.loc[results["method"] == method].sort_values("seed")
        value = rows["value"].to_numpy(dtype=float)
        y = place + np.linspace(-0.3, 0.3, len(rows) + 2)[1:-1]
        _error_bars(ax, value, y, rows, colors[method], horizontal=True)
    ax.set_ylim(len(methods) - 0.4, -0.6)  # the first method on top
    ax.grid(axis="x", color="0.9", linewidth=0.6)
    ax.set_axisbelow(True)


def _error_bars(
    ax: Axes, x: np.ndarray, y: np.ndarray, rows: pd.DataFrame, color: str, *, horizontal: bool
) -> None:
    value = x if horizontal else y
    low, high = rows["ci_low"].to_numpy(dtype=float), rows["ci_high"].to_numpy(dtype=float)
    # A bootstrap interval may lie beside its value by rounding; error bars must not be negative.
    reach = np.clip([value - low, high - value], 0, None)
    xerr, yerr = (reach, None) if horizontal else (None, reach)
    ax.errorbar(x, y, yerr, xerr, fmt="o", ms=3.5, color=color, elinewidth=1.1, capsize=0)


def plot_strength(
    table: str | Path, *, title: str, style: Style, output: Sequence[str | Path]
) -> None:
    """Draw AUC against lenses without substructure in bins of its strength.

    Args:
        table: CSV file with columns ``domain``, ``model``, ``seed``, ``label`` (class),
            ``quantity`` (``log10_m_sub_total`` or ``log10_axion_mass``), ``bin_low``,
            ``bin_high``, ``roc_auc``, ``ci_low`` and ``ci_high``.
        title: above all panels.
        style: look of the figure.
        output: files to write, .png or .pdf.

    Raises:
        ValueError: if the table is empty or lacks a column.
    """
    keys = ["domain", "model", "seed", "label", "quantity", "bin_low", "bin_high"]
    results = read_table(table, [*keys, "roc_auc", "ci_low", "ci_high"])
    quantities = in_known_order(results["quantity"], QUANTITIES)
    groups = list(dict.fromkeys(zip(results["domain"], results["model"], strict=True)))
    several = len(set(results["domain"])) > 1
    names = {group: ": ".join(map(str, group)) if several else str(group[1]) for group in groups}
    colors = colors_of(names.values())
    with apply_style(style):
        height = style.width * 0.4 + 0.8
        n = len(quantities)
        width = width_of(1, style) if n == 1 else style.width
        figure, axes = new_figure(
            style, rows=1, columns=n, height=height, width=width, title=title
        )
        for ax, quantity in zip(axes[0], quantities, strict=True):
            rows = results.loc[results["quantity"] == quantity]
            _draw_strength(ax, rows, {group: colors[name] for group, name in names.items()})
            classes = ", ".join(readable(name) for name in in_known_order(rows["label"]))
            ax.set(title=classes, xlabel=QUANTITIES.get(quantity, quantity))
        axes[0, 0].set_ylabel("AUC against no substructure")
        handles = [
            Line2D([], [], color=colors[name], marker="o", ms=3.5, label=_label(group, several))
            for group, name in names.items()
        ]
        handles.append(Line2D([], [], color=CHANCE, linestyle="--", label="chance"))
        legend_below(figure, handles, style=style)
        save(figure, output)


def _label(group: tuple[str, str], with_domain: bool) -> str:
    return ": ".join(map(readable, group if with_domain else group[1:]))


def _draw_strength(ax: Axes, rows: pd.DataFrame, colors: Mapping[tuple[str, str], str]) -> None:
    """Bins as horizontal bars; intervals of models and seeds stand side by side inside a bin."""
    runs = list(rows.groupby(["domain", "model", "seed"], sort=False))
    for k, (_, run) in enumerate(runs):
        auc = run["roc_auc"].to_numpy(dtype=float)
        low, high = (run[name].to_numpy(dtype=float) for name in ("bin_low", "bin_high"))
        color = colors[run["domain"].iloc[0], run["model"].iloc[0]]
        ax.hlines(auc, low, high, color=color, linewidth=0.8, alpha=0.6)
        place = low + (k + 1) / (len(runs) + 1) * (high - low)
        _error_bars(ax, place, auc, run, color, horizontal=False)
    ax.axhline(0.5, color=CHANCE, linestyle="--", linewidth=0.8)
    ax.locator_params(axis="x", nbins=5)
