"""One look for all figures: sizes, colours, readable names, reproducible files."""

from __future__ import annotations

import io
import math
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import matplotlib.style
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lensml.provenance import provenance_line

CLASS_LABELS = {"no_sub": "no substructure", "cdm": "CDM subhalos", "vortex": "axion vortex"}
METHOD_LABELS = {
    "source_only": "source only",
    "source_harmonised": "source, one camera",
    "adabn": "AdaBN",
    "adda": "ADDA",
    "adda_test_selected": "ADDA, chosen on test labels",
    "source_continued": "source, trained further",
    "strong_augmentation": "strong augmentation",
    "coral": "CORAL",
    "dann": "DANN",
    "adamatch": "AdaMatch",
    "mean_teacher": "mean teacher",
    "masked_reconstruction": "masked reconstruction",
    "oracle": "oracle (labelled target)",
}
MODEL_LABELS = {
    "vit_conv_stem": "ViT, convolutional stem",
    "vit": "ViT",
    "cnn": "CNN",
    "radial_profile": "rings and moments (baseline)",
    "fit_statistics": "fit statistics (no network)",
    "prior": "training set's Gaussian (baseline)",
    "mae": "masked autoencoder",
    "conv_autoencoder": "convolutional autoencoder",
    "vae": "variational autoencoder",
    "aae": "adversarial autoencoder",
    "supervised": "labelled classifier (ceiling)",
    "pca": "PCA residual (baseline)",
    "smooth_fit": "smooth lens fit, smoothed residual",
    "potential_filter": "smooth lens fit, potential filter",
    "total_flux": "total flux (baseline)",
}
LABELS = CLASS_LABELS | METHOD_LABELS | MODEL_LABELS

# Okabe & Ito's palette, which readers with any common colour blindness can tell apart.
BLUE, VERMILION, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"
PURPLE, SKY, GREY = "#CC79A7", "#56B4E9", "#6E6E6E"
YELLOW, BROWN = "#B8A800", "#8C5A2B"  # darker than theirs, and beside it
CHANCE = "0.55"  # grey of every line that marks guessing

COLORS = {
    "no_sub": GREY,
    "cdm": BLUE,
    "vortex": VERMILION,
    "source_only": GREY,
    "source_harmonised": "#3A3A3A",
    "adabn": ORANGE,
    "adda": BLUE,
    "adda_test_selected": "#56708A",
    "source_continued": "#B3B3B3",
    "strong_augmentation": BROWN,
    "coral": VERMILION,
    "dann": PURPLE,
    "adamatch": SKY,
    "mean_teacher": YELLOW,
    "masked_reconstruction": "#2F4B3C",
    "oracle": GREEN,
    "vit_conv_stem": BLUE,
    "vit": VERMILION,
    "cnn": GREEN,
    "radial_profile": GREY,
    "fit_statistics": ORANGE,
    "mae": BLUE,
    "conv_autoencoder": GREEN,
    "vae": PURPLE,
    "aae": BROWN,
    "pca": ORANGE,
    "smooth_fit": SKY,
    "potential_filter": VERMILION,
    "total_flux": GREY,
    "supervised": GREEN,
}
_SPARE_COLORS = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY)

SMALL = 0.85  # size of tick labels and legends over that of axis labels

# Nothing in a file may depend on the day or on who ran it.
_METADATA: dict[str, dict[str, Any]] = {
    ".png": {"Software": None},
    ".pdf": {"CreationDate": None, "Creator": "lensml", "Producer": None},
}
_MADE_WITH = {".png": "Source", ".pdf": "Keywords"}


def _metadata(suffix: str) -> dict[str, Any]:
    """Properties of a figure's file: what it was made with."""
    return {**_METADATA[suffix], _MADE_WITH[suffix]: provenance_line()}


@dataclass(frozen=True)
class Style:
    """Look of the figures.

    Attributes:
        dpi: resolution of PNG files, and of images inside PDF files, per inch.
        font_size: size of axis labels and titles, points.
        width: width of a figure over the whole page, inches.
        color_map: matplotlib's name of the colour map of images.
    """

    dpi: int
    font_size: float
    width: float
    color_map: str


@contextmanager
def apply_style(style: Style) -> Iterator[None]:
    """Draw and save in this style; matplotlib's settings are as before afterwards.

    It starts from matplotlib's own defaults, so that a reader's matplotlibrc changes no figure.
    """
    small = style.font_size * SMALL
    settings = {
        "font.size": style.font_size,
        "axes.titlesize": style.font_size,
        "axes.labelsize": style.font_size,
        "figure.titlesize": style.font_size * 1.1,
        "xtick.labelsize": small,
        "ytick.labelsize": small,
        "legend.fontsize": small,
        "legend.title_fontsize": small,
        "legend.frameon": False,
        "axes.linewidth": 0.6,
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "lines.linewidth": 1.2,
        "figure.constrained_layout.use": True,
        "figure.constrained_layout.w_pad": 0.07,
        "image.interpolation": "nearest",
        "savefig.dpi": style.dpi,
        "pdf.fonttype": 42,  # embeds whole glyphs: journals refuse matplotlib's default, type 3
    }
    with matplotlib.style.context(["default", settings]):
        yield


def readable(name: str) -> str:
    """Label of a class, method or model; a name nobody has labelled stands for itself."""
    return LABELS.get(name, name)


def colors_of(names: Iterable[str]) -> dict[str, str]:
    """Colour of each name: fixed for known ones, the unused colours in turn for others."""
    names = list(dict.fromkeys(names))
    taken = {COLORS[name] for name in names if name in COLORS}
    spare = [color for color in _SPARE_COLORS if color not in taken] or list(_SPARE_COLORS)
    unknown = [name for name in names if name not in COLORS]
    fallback = {name: spare[i % len(spare)] for i, name in enumerate(unknown)}
    return {name: COLORS.get(name) or fallback[name] for name in names}


def in_known_order(names: Iterable[str], order: Iterable[str] = CLASS_LABELS) -> list[str]:
    """Distinct names, the known ones first and in their usual order, then the others by name."""
    rank = {name: i for i, name in enumerate(order)}
    return sorted(set(names), key=lambda name: (rank.get(name, len(rank)), name))


def new_figure(
    style: Style,
    *,
    rows: int,
    columns: int,
    height: float,
    width: float | None = None,
    title: str = "",
    layout: Literal["constrained", "compressed"] = "constrained",
) -> tuple[Figure, np.ndarray]:
    """Figure with a grid of axes.

    Args:
        style: look of the figure; call this inside ``apply_style``.
        rows: number of rows of axes.
        columns: number of columns of axes.
        height: height of the figure, inches.
        width: width of the figure, inches; the style's width if None.
        title: above all axes, domains in it by their readable names; empty for none.
        layout: ``compressed`` keeps axes of fixed aspect, such as images, close together.

    Returns:
        The figure, and its axes of shape (rows, columns).
    """
    # A Figure of its own, without pyplot, needs no display and is freed with its last reference.
    figure = Figure(figsize=(width or style.width, height), dpi=style.dpi, layout=layout)
    if title:
        figure.suptitle(title)
    return figure, figure.subplots(rows, columns, squeeze=False)


def panel_grid(n_panels: int, *, most: int = 3) -> tuple[int, int]:
    """Rows and columns that hold ``n_panels`` with at most ``most`` in a row, evenly."""
    rows = math.ceil(n_panels / most)
    return rows, math.ceil(n_panels / rows)


def width_of(columns: int, style: Style) -> float:
    """Width in inches of a figure with so many panels in a row: one or two do not fill a page."""
    return style.width * {1: 0.55, 2: 0.75}.get(columns, 1.0)


def hide_unused(axes: Sequence[Axes] | np.ndarray, n_used: int) -> None:
    """Switch off the axes after the first ``n_used``."""
    for ax in axes[n_used:]:
        ax.set_axis_off()


def legend_below(
    figure: Figure, handles: Sequence[Artist], *, style: Style, title: str = ""
) -> None:
    """Legend under all axes, in as many columns as fit, so that it never covers data.

    The figure grows by the rows after the first, so that the panels do not shrink.
    """
    letter = 0.5 * style.font_size * SMALL / 72  # mean width, inches
    # Of mathematics, markup has no width and a command such as \odot is about one letter.
    texts = [re.sub(r"[${}^_]|\\,", "", str(handle.get_label())) for handle in handles]
    widths = [len(re.sub(r"\\[a-z]+", "x", text)) * letter + 0.5 for text in texts]
    room = figure.get_figwidth()
    columns = len(handles) if sum(widths) < room else max(1, int(room / max(widths)))
    rows = math.ceil(len(handles) / columns)
    figure.set_figheight(figure.get_figheight() + (rows - 1) * 3 * letter)
    figure.legend(
        handles=list(handles),
        loc="outside lower center",
        ncols=columns,
        title=title or None,
        handlelength=1.8,
    )


def save(figure: Figure, output: Sequence[str | Path]) -> None:
    """Write the figure to each file, whole or not at all, and close it.

    The same figure gives the same bytes. A file is written beside its name and then renamed, so
    that a killed job leaves no half of a figure.

    Args:
        figure: what to write; it is empty afterwards.
        output: files that end in .png or .pdf.

    Raises:
        ValueError: if there is no output, or one has another ending.
    """
    paths = [Path(path) for path in output]
    if not paths:
        raise ValueError("output is empty; expected one or more files that end in .png or .pdf")
    for path in paths:
        if path.suffix not in _METADATA:
            raise ValueError(f"{path}: figures are written as .png or .pdf, not '{path.suffix}'")
    for path in paths:
        buffer = io.BytesIO()
        figure.savefig(buffer, format=path.suffix[1:], metadata=_metadata(path.suffix))
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
        partial.write_bytes(buffer.getvalue())
        partial.replace(path)
    figure.clear()
