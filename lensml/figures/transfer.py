"""Classifiers on the test images of every domain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

from lensml.figures.style import (
    SMALL,
    Style,
    apply_style,
    hide_unused,
    new_figure,
    panel_grid,
    readable,
    save,
)
from lensml.tables import over_seeds, read_table

METRIC = "roc_auc_ovr_macro"
AREA = ScalarMappable(Normalize(0.5, 1), "Blues")
DARK = 0.8  # AUC from which the text is white


def plot_transfer(
    table: str | Path, *, labels: Mapping[str, str], style: Style, output: Sequence[str | Path]
) -> None:
    """Draw the macro AUC by domain of training (rows) and of test (columns), a panel per model.

    Several seeds are averaged, and so are their intervals, half of which stands behind ±. What was
    not asked for stays empty.

    Args:
        table: CSV file with columns ``domain`` (of training), ``target_domain``, ``model``,
            ``metric``, ``value``, ``ci_low`` and ``ci_high``.
        labels: of domains by name; one without stands for itself.
        style: look of the figure.
        output: files to write, .png or .pdf.

    Raises:
        ValueError: if the table lacks a column, or rows of the metric.
    """
    keys = ["domain", "target_domain", "model"]
    values = ["value", "ci_low", "ci_high"]
    results = read_table(table, [*keys, "metric", *values])
    results = results.loc[results["metric"] == METRIC]
    if results.empty:
        raise ValueError(f"{table}: no row of metric '{METRIC}'")
    means = pd.DataFrame(over_seeds(results, keys).groupby(keys, sort=False)[values].mean())
    means = means.reset_index()
    trained, tested = (list(dict.fromkeys(means[key])) for key in keys[:2])
    models = list(dict.fromkeys(means["model"]))
    rows, columns = panel_grid(len(models))
    height = 0.55 * len(trained) + 0.4
    with apply_style(style):
        figure, axes = new_figure(
            style,
            rows=rows,
            columns=columns,
            height=rows * height + 1.6,
            width=min(style.width, columns * (0.9 * len(tested) + 0.2) + 2.2),
            title="Classifiers on other domains, ± half of the interval",
            layout="compressed",
        )
        for i, (ax, model) in enumerate(zip(axes.flat, models, strict=False)):
            _draw(ax, means.loc[means["model"] == model], trained, tested, style)
            names = [labels.get(name, name) for name in tested]
            ax.set_xticks(range(len(tested)), names, rotation=30, ha="right")
            ax.set_title(readable(model))
            ax.set_yticks(range(len(trained)), [])
            if i % columns == 0:
                ax.set_yticks(range(len(trained)), [labels.get(name, name) for name in trained])
                ax.set_ylabel("trained on")
        hide_unused(axes.ravel(), len(models))
        figure.colorbar(AREA, ax=axes, label="macro AUC, one against the rest", pad=0.02)
        save(figure, output)


def _draw(
    ax: Axes, means: pd.DataFrame, trained: Sequence[str], tested: Sequence[str], style: Style
) -> None:
    area = means.pivot(index="domain", columns="target_domain", values="value")
    ax.imshow(area.reindex(index=trained, columns=tested), cmap=AREA.cmap, vmin=0.5, vmax=1)
    for row in means.to_dict("records"):
        ax.text(
            tested.index(row["target_domain"]),
            trained.index(row["domain"]),
            f"{row['value']:.3f}\n±{(row['ci_high'] - row['ci_low']) / 2:.3f}",
            ha="center",
            va="center",
            fontsize=style.font_size * SMALL,
            color="white" if row["value"] > DARK else "black",
        )
    ax.set_xlabel("tested on")
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
