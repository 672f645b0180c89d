"""The table of observed lenses: one bad file is one row, and says how each was read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from astropy.io import fits
from toy.stores import setting

from lensml.data.observed import Grid
from lensml.data.store import open_store
from lensml.evaluation import observed
from lensml.evaluation.domain.cutouts import CutoutJudge
from lensml.evaluation.observed import Networks, read_all, score_observed, spread_of, summary_of
from lensml.figures import Style, plot_observed
from lensml.models.encoders import build_classifier
from lensml.models.mae import MaskedAutoencoder
from lensml.schema.encoders import Cnn
from lensml.schema.observed import ObservedLens
from lensml.schema.simulation import Domain
from lensml.training.engine.checkpoint import save_weights

CLASSES = ["no_sub", "cdm"]
CNN = Cnn(kind="cnn", widths=[4, 8])
GRID = Grid(64, 0.1, 0.18)
KNOWN = {"pixel_scale": 0.1, "psf_fwhm": 0.18}
STYLE = Style(dpi=40, font_size=7.0, width=5.0, color_map="viridis")

pytestmark = pytest.mark.usefixtures("one_torch_thread")


@pytest.fixture(scope="module")
def stores(
    tmp_path_factory: pytest.TempPathFactory,
    seen_domain: Domain,
    simulate_store: Callable[..., Path],
) -> dict[str, list[str]]:
    folder = tmp_path_factory.mktemp("domain")
    return {
        split: [str(simulate_store(folder, seen_domain, c, split, n_images=12)) for c in CLASSES]
        for split in ("train", "val")
    }


@pytest.fixture
def score(
    stores: dict[str, list[str]], default_config: Any, judge: CutoutJudge, tmp_path: Path
) -> Callable[..., pd.DataFrame]:
    """Scores lenses with networks that have learned nothing; the table."""

    def run(lenses: dict[str, Any], *, seeds: int = 2) -> pd.DataFrame:
        small = {"patch_size": 8, "embed_dim": 16, "depth": 1, "num_heads": 2}
        small |= {"decoder_embed_dim": 8, "decoder_depth": 1, "decoder_num_heads": 2}
        spec = default_config.anomaly
        spec = spec.model_copy(update={"mae": spec.mae.model_copy(update=small)})
        classifiers = {}
        for seed in range(seeds):
            network = build_classifier(CNN, img_size=64, num_classes=2, seed=seed)
            weights, calibration = (str(tmp_path / f"{seed}.{e}") for e in ("safetensors", "json"))
            save_weights(weights, network.state_dict(), {})
            Path(calibration).write_text('{"temperature": 1.0}')
            classifiers[weights] = calibration
        torch.manual_seed(0)
        detector = str(tmp_path / "mae.safetensors")
        save_weights(detector, MaskedAutoencoder(spec.mae, 64).state_dict(), {})
        outputs = [str(tmp_path / f"observed.{end}") for end in ("csv", "md", "tex")]
        score_observed(
            {name: ObservedLens.model_validate(lens) for name, lens in lenses.items()},
            stores["train"],
            stores["val"],
            Networks(classifiers, CNN, CLASSES, "none", [detector], spec, "mse"),
            outputs,
            str(tmp_path / "examples.npz"),
            grid=GRID,
            judge=judge,
            n_reference=12,
            setting=setting(tmp_path),
        )
        return pd.read_csv(outputs[0], dtype={"lens": str}).set_index("lens")

    return run


@pytest.fixture
def image(stores: dict[str, list[str]]) -> np.ndarray:
    return open_store(stores["val"][0]).image[np.array([1])][0]


def write(path: Path, array: Any, **header: Any) -> str:
    fits.PrimaryHDU(array, header=fits.Header(header)).writeto(path, overwrite=True)
    return str(path)


def bad_files(folder: Path, image: np.ndarray) -> dict[str, dict[str, Any]]:
    """Lenses that used to end the job, or to be scored without a word."""
    sky = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN"}
    degrees = {"CD1_1": -0.1 / 3600, "CD2_2": 0.1 / 3600}
    filled = np.where(np.hypot(*(np.indices(image.shape) - 31.5)) < 12, 0.0, image)
    rms = float(np.std(image[:6]))
    known = {"pixel_scale": 0.1}
    variance = write(folder / "variance.fits", np.full(image.shape, rms**2))
    huge = image.astype(float)
    huge[30, 30] = 1e200
    (folder / "text.fits").write_text("no image")
    return {
        "gone": {"image": str(folder / "gone.fits")},
        "text": {"image": str(folder / "text.fits"), **known},
        "filled": {"image": write(folder / "filled.fits", filled), **known},
        "constant": {"image": write(folder / "constant.fits", np.full(image.shape, 3.0)), **known},
        "huge": {"image": write(folder / "huge.fits", huge), **known},
        "variance": {"image": write(folder / "a.fits", image), **known, "noise_map": variance},
        "unit": {"image": write(folder / "unit.fits", image, **sky, **degrees, CUNIT1="m")},
        "plane": {"image": write(folder / "p.fits", image, **{**sky, "CTYPE1": "X"}, **degrees)},
        "no scale": {"image": write(folder / "n.fits", image, **sky)},
        "coarse": {"image": str(folder / "a.fits"), "pixel_scale": 1.0},
    }


def test_no_image_ends_the_job_of_the_others(score, image, tmp_path):
    lenses = bad_files(tmp_path, image)
    good = {"image": write(tmp_path / "good.fits", image), **KNOWN}
    table = score({**lenses, "good": good})
    assert table.index.tolist() == [*lenses, "good"]
    assert table.loc[list(lenses), "reason"].notna().all()
    assert table.loc[list(lenses), "p_cdm"].isna().all()
    assert pd.isna(table.loc["good", "reason"])
    assert table.loc["good", "p_no_sub"] + table.loc["good", "p_cdm"] == pytest.approx(1)
    text = (tmp_path / "observed.md").read_text()
    for name in lenses:
        assert f"| {name} | – | – |" in text
    assert text.count("not scored: ") == len(lenses)


def test_what_nobody_foresaw_of_an_image_is_its_reason(image, tmp_path, monkeypatch):
    def break_one(lens: ObservedLens, grid: Grid) -> Any:
        if lens.image == "odd.fits":
            raise OverflowError("cannot convert float infinity to integer")
        return "a cut-out"

    monkeypatch.setattr(observed, "read_cutout", break_one)
    lenses = {name: ObservedLens(image=f"{name}.fits") for name in ("odd", "good")}
    cutouts, reasons = read_all(lenses, GRID)
    assert list(cutouts) == ["good"]
    assert reasons == {"odd": "odd.fits: OverflowError (cannot convert float infinity to integer)"}


def test_how_an_image_was_read_stands_in_the_table(score, image, tmp_path):
    missing = image.copy()
    missing[:4] = 0.0
    header = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN"}
    header |= {"CDELT1": -0.1 / 3600, "CDELT2": 0.1 / 3600}
    lenses = {"a": {"image": write(tmp_path / "a.fits", missing, **header)}}
    row = score(lenses).loc["a"]
    assert row["pixel_scale"] == pytest.approx(0.1)
    assert row["scale_source"] == "CDELT"
    assert row["finer_by"] == pytest.approx(1)
    assert row["n_missing"] == 4 * 64
    assert row["border_rms"] == 1
    assert (
        "| 0.1 (CDELT), 1 per pixel, 256 without data |" in (tmp_path / "observed.md").read_text()
    )


def test_names_of_lenses_do_no_harm(score, image, tmp_path):
    path = write(tmp_path / "a.fits", image)
    names = ["102018665", "J0946+1006", "SDSS J0946 + 1006", "a | b", "R&D 50% $x_2$"]
    names.append(r"$\frac$")  # no mathematics
    table = score({name: {"image": path, **KNOWN} for name in names})
    assert table.index.tolist() == names
    lines = (tmp_path / "observed.md").read_text().splitlines()
    assert r"| a \| b | 0." in lines[5]
    assert r"R\&D 50\% \$x\_2\$ & 0." in (tmp_path / "observed.tex").read_text()
    figure = tmp_path / "observed.png"
    plot_observed(
        tmp_path / "examples.npz", classes=CLASSES, title="a", style=STYLE, output=[figure]
    )
    assert figure.stat().st_size


def test_one_seed_has_no_spread(score, image, tmp_path):
    lenses = {"a": {"image": write(tmp_path / "a.fits", image), **KNOWN}}
    table = score(lenses, seeds=1)
    assert table[["p_no_sub_std", "p_cdm_std"]].isna().all(axis=None)
    text = (tmp_path / "observed.md").read_text()
    assert "±" not in text
    assert "Probabilities: of the one seed" in text
    figure = tmp_path / "observed.png"
    plot_observed(
        tmp_path / "examples.npz", classes=CLASSES, title="a", style=STYLE, output=[figure]
    )
    assert figure.stat().st_size
    assert "±" not in (tmp_path / "observed.tex").read_text()
    score(lenses, seeds=2)
    assert (
        "Probabilities: mean ± standard deviation over 2 seeds"
        in (tmp_path / "observed.md").read_text()
    )


def test_the_spread_is_that_of_a_sample():
    values = np.array([[0.2, 0.5], [0.4, 0.5], [0.9, 0.5]])
    np.testing.assert_allclose(spread_of(values), [np.sqrt(0.13), 0])
    assert np.isnan(spread_of(values[:1])).all()


def test_a_table_of_reasons_alone_is_written(score, image, tmp_path):
    table = score({"gone": {"image": str(tmp_path / "gone.fits")}})
    assert "there is no such file" in table.loc["gone", "reason"]
    summary = summary_of(table.reset_index(), CLASSES)
    assert summary["pixels"].tolist() == ["–"]
