"""A modelled lens: image, arcs, model, residual, source, and what potential would explain more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lensml.figures.style import Style, apply_style, new_figure, save

LIMIT = 5.0  # of residuals, in units of the noise
OUTLINE = 0.2  # of the arcs' peak, at which they are outlined on the map
PANELS = ("image", "arcs", "model", "residual", "source", "convergence")


def plot_observed_model(
    examples: str | Path, *, title: str, style: Style, output: Sequence[str | Path]
) -> None:
    """Draw six panels of one lens.

    Args:
        examples: .npz file, empty of a lens without a model: ``image``, ``arcs`` (image less the
            lens's light), ``model`` of the arcs and ``residual`` (h, w) over the noise, their
            ``extent`` (4,) arcsec, ``source`` (m, m) of peak one with ``source_extent``,
            ``theta_E`` and ``center`` (2,), arcsec; ``log_evidence`` where the potential filter
            was run, and where it is above 0 ``convergence`` and ``convergence_error`` (k, k)
            with ``convergence_axis`` (k,).
        title: above all panels.
        style: look of the figure.
        output: files to write, .png or .pdf.
    """
    with np.load(examples, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored}
    with apply_style(style):
        if not arrays:
            figure, axes = new_figure(style, rows=1, columns=1, height=1.2, title=title)
            axes[0, 0].set_axis_off()
            axes[0, 0].text(0.5, 0.5, "not modelled: see the table", ha="center")
            save(figure, output)
            return
        height = style.width * 0.9
        figure, axes = new_figure(style, rows=2, columns=3, height=height, title=title)
        for ax, name in zip(axes.ravel(), PANELS, strict=True):
            PAINTERS[name](figure, ax, arrays, style)
        save(figure, output)


def _sky(
    figure: Figure,
    ax: Axes,
    image: np.ndarray,
    extent: np.ndarray,
    label: str,
    **look: object,
) -> None:
    shown = ax.imshow(image, origin="lower", extent=tuple(extent), **look)  # type: ignore[arg-type]
    ax.locator_params(nbins=4, steps=[1, 2, 5, 10])
    ax.set(xlabel="x [arcsec]", ylabel="y [arcsec]")
    figure.colorbar(shown, ax=ax, location="bottom", label=label, fraction=0.06, pad=0.02)


def _image(figure: Figure, ax: Axes, arrays: Mapping[str, np.ndarray], style: Style) -> None:
    stretched = np.arcsinh(arrays["image"])
    ticks = np.array([0, 1, 10, 100, 1000, 10000])
    _sky(figure, ax, stretched, arrays["extent"], "units of the noise", cmap=style.color_map)
    bar = ax.images[0].colorbar
    if bar is not None:
        shown = ticks[np.arcsinh(ticks) < stretched.max()]
        bar.set_ticks(list(np.arcsinh(shown)), labels=[str(t) for t in shown])
    ax.set_title("image")


def _arcs(figure: Figure, ax: Axes, arrays: Mapping[str, np.ndarray], style: Style) -> None:
    top = float(arrays["model"].max())
    look = {"vmin": -0.1 * top, "vmax": top, "cmap": style.color_map}
    _sky(figure, ax, arrays["arcs"], arrays["extent"], "units of the noise", **look)
    ax.set_title("without the lens's light")


def _model(figure: Figure, ax: Axes, arrays: Mapping[str, np.ndarray], style: Style) -> None:
    top = float(arrays["model"].max())
    look = {"vmin": -0.1 * top, "vmax": top, "cmap": style.color_map}
    _sky(figure, ax, arrays["model"], arrays["extent"], "units of the noise", **look)
    angle = np.linspace(0, 2 * np.pi, 181)
    x, y = arrays["center"]
    radius = float(arrays["theta_E"])
    circle = x + radius * np.cos(angle), y + radius * np.sin(angle)
    ax.plot(*circle, color="white", linewidth=0.7, linestyle=":")
    ax.set_title(r"model, $\theta_E$ dotted")


def _residual(figure: Figure, ax: Axes, arrays: Mapping[str, np.ndarray], style: Style) -> None:
    look = {"vmin": -LIMIT, "vmax": LIMIT, "cmap": "RdBu_r"}
    label = "data minus model, units of the noise"
    _sky(figure, ax, arrays["residual"], arrays["extent"], label, **look)
    ax.set_facecolor("0.85")
    ax.set_title("residual")


def _source(figure: Figure, ax: Axes, arrays: Mapping[str, np.ndarray], style: Style) -> None:
    look = {"vmin": -0.1, "vmax": 1, "cmap": style.color_map}
    _sky(figure, ax, arrays["source"], arrays["source_extent"], "brightness over peak", **look)
    ax.set_title("source")


def _convergence(figure: Figure, ax: Axes, arrays: Mapping[str, np.ndarray], style: Style) -> None:
    if "convergence" not in arrays:
        ax.set_axis_off()
        why = "no evidence of any" if "log_evidence" in arrays else "no adequate model of a lens"
        ax.text(0.5, 0.5, f"extra convergence:\n{why}", ha="center", va="center")
        return
    ax.set_title("extra convergence")
    axis, found = arrays["convergence_axis"], arrays["convergence"]
    ends = [axis[0], axis[-1], axis[0], axis[-1]]
    top = float(np.abs(found).max()) or 1.0
    look = {"vmin": -top, "vmax": top, "cmap": "RdBu_r"}
    label = f"(its error: {np.median(arrays['convergence_error']):.2g})"
    _sky(figure, ax, found, np.array(ends), f"convergence {label}", **look)
    left, right, low, high = arrays["extent"]
    model = arrays["model"]
    levels = [OUTLINE * float(model.max())]
    x = np.linspace(left, right, model.shape[1])
    y = np.linspace(low, high, model.shape[0])
    ax.contour(x, y, model, levels=levels, colors="0.3", linewidths=0.6)
    ax.set(xlim=(left, right), ylim=(low, high))


PAINTERS = {
    "image": _image,
    "arcs": _arcs,
    "model": _model,
    "residual": _residual,
    "source": _source,
    "convergence": _convergence,
}
