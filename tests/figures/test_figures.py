"""Every figure is drawn, and the same tables give the same bytes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from toy.configuration import ROOT
from toy.drawings import COMPARED, DRAWINGS, draw_for_comparison, draw_history_mae
from toy.figure_tables import (
    CLASSES,
    PIXEL_SCALE,
    STYLE,
    write_columns,
    write_embedding,
    write_gallery,
    write_observed,
)

from lensml import figures
from lensml.figures.embedding import _handles as embedding_handles
from lensml.figures.style import apply_style, colors_of, new_figure, readable, save


def test_observed_lenses_without_a_masked_autoencoder_are_drawn(tmp_path: Path):
    examples = write_observed(tmp_path / "observed.npz", 1, residual=False)
    output = tmp_path / "observed.png"
    figures.plot_observed(examples, classes=CLASSES, title="", style=STYLE, output=[output])
    assert output.stat().st_size > 1000


def test_no_observed_lens_is_said(tmp_path: Path):
    np.savez(tmp_path / "observed.npz", pixel_scale=PIXEL_SCALE)
    output = tmp_path / "observed.png"
    given = {"classes": CLASSES, "title": "", "style": STYLE, "output": [output]}
    figures.plot_observed(tmp_path / "observed.npz", **given)
    assert output.stat().st_size > 500


def test_every_public_function_has_a_drawing_here():
    public = {name.removeprefix("plot_") for name in figures.__all__ if name.startswith("plot_")}
    assert public == set(DRAWINGS)


@pytest.mark.parametrize("name", DRAWINGS)
def test_every_figure_is_drawn(name: str, tmp_path: Path):
    DRAWINGS[name](tmp_path, STYLE, [tmp_path / "figure.png"])
    assert matplotlib.image.imread(tmp_path / "figure.png").std() > 0.01
    assert not list(tmp_path.rglob("*.partial"))


def test_the_same_tables_give_the_same_bytes_without_a_date_in_another_process(tmp_path: Path):
    # Another order of hashes shows whether a figure depends on the order of a set.
    source = [str(ROOT / "tests"), str(Path(figures.__file__).parents[2])]
    environment = {**os.environ, "PYTHONHASHSEED": "1", "PYTHONPATH": os.pathsep.join(source)}
    code = "import sys; from toy import drawings; drawings.draw_for_comparison(sys.argv[1])"
    there, here = tmp_path / "there", tmp_path / "here"
    subprocess.run([sys.executable, "-c", code, str(there)], check=True, env=environment)
    draw_for_comparison(here)
    for name in COMPARED:
        assert (here / name).read_bytes() == (there / name).read_bytes()
    content = (here / "roc_anomaly.pdf").read_bytes()
    assert content.startswith(b"%PDF")
    assert b"/Type3" not in content
    assert b"CreationDate" not in content


def test_other_classes_models_and_two_classes_are_drawn_too(tmp_path: Path):
    rng = np.random.default_rng(29)
    p = rng.uniform(size=20)
    labels = np.repeat(["no_sub", "wdm"], 10)
    path = write_columns(tmp_path / "p.csv", {"label": labels, "p_no_sub": p, "p_wdm": 1 - p})
    output = [tmp_path / "a.png"]
    for plot in (figures.plot_roc_classification, figures.plot_confusion):
        plot({"resnet": [path]}, title="", style=STYLE, output=output)
    assert readable("wdm") == "wdm"
    assert len(set(colors_of(["no_sub", "cdm", "wdm", "sidm"]).values())) == 4


def test_of_images_of_files_no_radius_is_written(tmp_path: Path, monkeypatch):
    path = write_gallery(tmp_path / "examples.npz", n=2)
    written: list[str] = []
    text = Axes.text

    def noted(self: Axes, x: float, y: float, s: str, **look: Any) -> Any:
        written.append(s)
        return text(self, x, y, s, **look)

    monkeypatch.setattr(Axes, "text", noted)
    figures.plot_gallery(path, title="", style=STYLE, output=[tmp_path / "a.png"])
    assert sum("theta_E" in s for s in written) == 6
    with np.load(path) as stored:
        arrays = dict(stored)
    arrays |= {name: np.full(6, np.nan) for name in ("theta_E", "m_sub_total")}
    np.savez(path, **arrays)
    written.clear()
    figures.plot_gallery(path, title="", style=STYLE, output=[tmp_path / "b.png"])
    assert written == []


def test_a_gallery_draws_chains_of_points_and_classes_of_unequal_size(tmp_path: Path):
    path = write_gallery(tmp_path / "examples.npz", n=2)
    stored = dict(np.load(path))
    kept = np.arange(5)  # one vortex is gone
    stop = stored["perturber_offset"][5]
    for name in ("image", "label", "background_rms", "theta_E", "m_sub_total"):
        stored[name] = stored[name][kept]
    for name in ("x", "y", "mass", "length", "angle"):
        stored[f"perturber_{name}"] = stored[f"perturber_{name}"][:stop]
    stored["perturber_offset"] = stored["perturber_offset"][:6]
    stored["perturber_length"][:] = np.nan
    np.savez(path, **stored)
    figures.plot_gallery(path, title="", style=STYLE, output=[tmp_path / "a.png"])
    stored["perturber_offset"] = stored["perturber_offset"][:-1]
    np.savez(path, **stored)
    with pytest.raises(ValueError, match="perturber_offset"):
        figures.plot_gallery(path, title="", style=STYLE, output=[tmp_path / "b.png"])


def test_domains_are_called_by_their_labels(tmp_path: Path):
    points = pd.read_csv(write_embedding(tmp_path / "embedding.csv"))
    colors = dict.fromkeys(points["label"], "black")
    labels = {"euclid": "Euclid"}
    texts = [str(handle.get_label()) for handle in embedding_handles(points, colors, labels)]
    assert "source domain (Euclid)" in texts
    assert "target domain (hst)" in texts  # which has no label


@pytest.mark.parametrize("output", [[], ["figure.svg"], ["figure.png", "figure"]])
def test_other_endings_than_png_and_pdf_are_refused(output: list[str], tmp_path: Path):
    with apply_style(STYLE):
        figure, _ = new_figure(STYLE, rows=1, columns=1, height=2)
        with pytest.raises(ValueError, match=r"\.png or \.pdf"):
            save(figure, [tmp_path / name for name in output])
    assert not list(tmp_path.iterdir())


def test_settings_of_matplotlib_are_as_before_and_those_of_the_user_do_not_count(tmp_path: Path):
    written = []
    for size in (10, 30):
        with matplotlib.rc_context({"axes.titlepad": size, "lines.linewidth": size}):
            draw_history_mae(tmp_path, STYLE, [tmp_path / "a.png"])
            assert matplotlib.rcParams["lines.linewidth"] == size
        written.append((tmp_path / "a.png").read_bytes())
    assert written[0] == written[1]
