"""Receiver operating characteristics: classifiers, adaptation methods, anomaly scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from lensml.figures.style import (
    CHANCE,
    Style,
    apply_style,
    colors_of,
    hide_unused,
    in_known_order,
    legend_below,
    new_figure,
    panel_grid,
    readable,
    save,
    width_of,
)
from lensml.tables import (
    PROBABILITY,
    RUN_FILES,
    check_runs,
    classes_of,
    read_all_predictions,
    read_table,
)

NO_SUBSTRUCTURE = "no_sub"
SCORE_COLUMNS = ["system_id", "index", "label", "score"]

# Fine near zero, where a detector has to work, and even elsewhere.
FPR_GRID = np.unique(np.concatenate([[0.0], np.logspace(-4, 0, 101), np.linspace(0, 1, 201)]))

Scored = tuple[np.ndarray, np.ndarray]  # is positive (N,) bool, score (N,)
Panel = Mapping[str, Sequence[Scored]]  # model or method -> one entry per seed


def plot_roc_classification(
    predictions: RUN_FILES, *, title: str, style: Style, output: Sequence[str | Path]
) -> None:
    """Draw one panel per class against the rest, one curve per model.

    Args:
        predictions: model -> ``predictions.csv`` of each seed, with columns ``label`` (class) and
            ``p_<class>`` (probability) for each class.
        title: above all panels.
        style: look of the figure.
        output: files to write, .png or .pdf.

    Raises:
        ValueError: if a table is empty or lacks a column, or a class has no image.
    """
    tables = read_all_predictions(predictions)
    classes = in_known_order(classes_of(next(iter(tables.values()))[0]))
    panels = {
        f"{readable(target)}\nagainst the rest": {
            name: [
                ((table["label"] == target).to_numpy(), table[PROBABILITY + target].to_numpy())
                for table in seeds
            ]
            for name, seeds in tables.items()
        }
        for target in classes
    }
    _plot_panels(panels, title=title, style=style, output=output)


def plot_roc_adaptation(
    predictions: RUN_FILES, *, title: str, style: Style, output: Sequence[str | Path]
) -> None:
    """Draw one panel per class against the rest, one curve per adaptation method.

    Args:
        predictions: method -> ``predictions.csv`` of each seed on the target domain, with the
            columns that ``plot_roc_classification`` describes.
        title: above all panels.
        style: look of the figure.
        output: files to write, .png or .pdf.

    Raises:
        ValueError: if a table is empty or lacks a column, or a class has no image.
    """
    plot_roc_classification(predictions, title=title, style=style, output=output)


def plot_roc_anomaly(
    scores: RUN_FILES, *, title: str, style: Style, output: Sequence[str | Path]
) -> None:
    """Draw each substructure class, and all together, against lenses without substructure.

    Args:
        scores: method -> ``scores.csv`` of each seed, with columns ``label`` (class) and
            ``score`` (higher is more anomalous).
        title: above all panels.
        style: look of the figure.
        output: files to write, .png or .pdf.

    Raises:
        ValueError: if a table is empty, lacks a column, or has not both kinds of lenses.
    """
    check_runs(scores, "scores")
    runs = {name: [_read_scores(path) for path in paths] for name, paths in scores.items()}
    classes = _anomalous_classes(runs, scores)
    groups = {readable(name): {name} for name in classes}
    if len(classes) > 1:
        groups["any substructure"] = set(classes)
    panels = {
        f"{label}\nagainst {readable(NO_SUBSTRUCTURE)}": {
            name: [_against_normal(labels, score, group) for labels, score in seeds]
            for name, seeds in runs.items()
        }
        for label, group in groups.items()
    }
    _plot_panels(panels, title=title, style=style, output=output)


def _read_scores(path: str | Path) -> Scored:
    """Labels (N,) str and scores (N,) of a file."""
    table = read_table(path, SCORE_COLUMNS, finite=["score"])
    return table["label"].to_numpy(dtype=str), table["score"].to_numpy(dtype=float)


def _anomalous_classes(runs: Mapping[str, Sequence[Scored]], files: RUN_FILES) -> list[str]:
    """Classes with substructure; every file must hold them and lenses without."""
    found = {label for seeds in runs.values() for labels, _ in seeds for label in labels}
    expected = in_known_order(found | {NO_SUBSTRUCTURE})
    for name, seeds in runs.items():
        for path, (labels, _) in zip(files[name], seeds, strict=True):
            if set(labels) != set(expected) or len(expected) < 2:
                raise ValueError(
                    f"{path}: column 'label' holds {', '.join(in_known_order(labels))}; "
                    f"expected {NO_SUBSTRUCTURE} and the same substructure classes in all files"
                )
    return [name for name in expected if name != NO_SUBSTRUCTURE]


def _against_normal(labels: np.ndarray, score: np.ndarray, group: set[str]) -> Scored:
    positive = np.isin(labels, list(group))
    kept = positive | (labels == NO_SUBSTRUCTURE)
    return positive[kept], score[kept]


def roc_curve(positive: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """False and true positive rates for every threshold on the score.

    Equal scores pass a threshold together, so a tie is a slanted piece of the curve and counts
    one half in the area below it, as in the Mann-Whitney statistic.

    Args:
        positive: (N,) bool, with at least one of each kind.
        score: (N,), higher is more likely positive.

    Returns:
        False positive rate and true positive rate, both (T + 1,) for T distinct scores, from
        (0, 0) to (1, 1).
    """
    order = np.argsort(-score, kind="stable")
    positive, score = positive[order], score[order]
    last_of_tie = np.append(np.flatnonzero(np.diff(score)), len(score) - 1)
    true = np.cumsum(positive)[last_of_tie]
    false = last_of_tie + 1 - true
    return np.append(0.0, false / false[-1]), np.append(0.0, true / true[-1])


def roc_auc(positive: np.ndarray, score: np.ndarray) -> float:
    """Area under the curve: the chance that a positive scores higher than a negative."""
    fpr, tpr = roc_curve(positive, score)
    return float(np.trapezoid(tpr, fpr))


def _plot_panels(
    panels: Mapping[str, Panel], *, title: str, style: Style, output: Sequence[str | Path]
) -> None:
    names = list(next(iter(panels.values())))
    colors = colors_of(names)
    rows, columns = panel_grid(len(panels))
    with apply_style(style):
        height = rows * (style.width * 0.28 + 0.75) + 0.85
        figure, axes = new_figure(
            style,
            rows=rows,
            columns=columns,
            height=height,
            width=width_of(columns, style),
            title=title,
        )
        for ax, (panel_title, panel) in zip(axes.flat, panels.items(), strict=False):
            _draw_panel(ax, panel, colors)
            ax.set_title(panel_title)
        hide_unused(axes.ravel(), len(panels))
        for ax in axes[:, 0]:
            ax.set_ylabel("true positive rate")
        handles = [Line2D([], [], color=colors[n], label=readable(n)) for n in names]
        handles.append(Line2D([], [], color=CHANCE, linestyle="--", label="chance"))
        several = any(len(seeds) > 1 for seeds in next(iter(panels.values())).values())
        note = "line: mean over seeds; band: lowest to highest seed" if several else ""
        legend_below(figure, handles, style=style, title=note)
        save(figure, output)


def _draw_panel(ax: Axes, panel: Panel, colors: Mapping[str, str]) -> None:
    ax.plot([0, 1], [0, 1], color=CHANCE, linestyle="--", linewidth=0.8)
    lines = []
    for name, seeds in panel.items():
        # At fpr 0 np.interp takes the last of equal abscissae: the top of the first rise.
        tpr = np.array([np.interp(FPR_GRID, *roc_curve(*seed)) for seed in seeds])
        auc = np.mean([roc_auc(*seed) for seed in seeds])
        x, y = np.append(0.0, FPR_GRID), np.append(0.0, tpr.mean(axis=0))
        lines += ax.plot(x, y, color=colors[name], label=f"{auc:.3f}")
        if len(seeds) > 1:
            band = (tpr.min(axis=0), tpr.max(axis=0))
            ax.fill_between(FPR_GRID, *band, color=colors[name], alpha=0.2, linewidth=0)
    ax.legend(handles=lines, title="AUC", loc="lower right", handlelength=1.2, labelspacing=0.2)
    ax.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), xlabel="false positive rate")
    ax.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    ax.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
