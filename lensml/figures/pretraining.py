"""AUC of classifiers against the number of labels, by where they start."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lensml.figures.style import (
    BLUE,
    CHANCE,
    GREEN,
    GREY,
    ORANGE,
    Style,
    apply_style,
    new_figure,
    save,
)
from lensml.tables import over_seeds, read_table

AUC = "roc_auc_ovr_macro"
STARTS = {
    "shipped": ("shipped network from scratch", ORANGE, "s"),
    "pretrained": ("masked autoencoder, fine-tuned", BLUE, "o"),
    "scratch": ("the same network from scratch", GREY, "^"),
    "linear_probe": ("masked autoencoder, linear probe", GREEN, "D"),
}


def plot_pretraining(
    table: str | Path, *, title: str, style: Style, output: Sequence[str | Path]
) -> None:
    """Draw macro AUC against labelled images per class, one line per start.

    Args:
        table: CSV file with columns ``start``, ``n_train``, ``seed``, ``metric``, ``value``,
            ``ci_low`` and ``ci_high``.
        title: above the panel.
        style: look of the figure.
        output: files to write, .png or .pdf.

    Raises:
        ValueError: if the table is empty or lacks a column.
    """
    numbers = ["value", "ci_low", "ci_high"]
    rows = read_table(table, ["start", "n_train", "seed", "metric", *numbers])
    rows = over_seeds(rows.loc[rows["metric"] == AUC], ["start", "n_train"])
    with apply_style(style):
        figure, axes = new_figure(
            style,
            rows=1,
            columns=1,
            height=style.width * 0.5,
            width=style.width * 0.75,
            title=title,
        )
        ax = axes[0, 0]
        for start, (label, color, marker) in STARTS.items():
            mean = rows.loc[rows["start"] == start].groupby("n_train")[numbers].mean()
            ends = [mean["value"] - mean["ci_low"], mean["ci_high"] - mean["value"]]
            if len(mean):
                ax.errorbar(
                    mean.index,
                    mean["value"],
                    np.clip(ends, 0, None),
                    color=color,
                    marker=marker,
                    ms=4.5,
                    label=label,
                )
        ax.axhline(0.5, color=CHANCE, linestyle="--", linewidth=0.8, label="chance")
        ticks = sorted(set(rows["n_train"]))
        ax.set(
            xscale="log", xlabel="labelled images per class", ylabel="test AUC, mean over classes"
        )
        ax.set_xticks(ticks, [f"{n:,}" for n in ticks])
        ax.minorticks_off()
        figure.legend(loc="outside lower center", ncols=2)
        save(figure, output)
