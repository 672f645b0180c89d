"""Blind fits beside true cameras."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from toy.configuration import configured

from lensml.data.blind_camera import Fit
from lensml.data.harmonise import Camera, Gaussian
from lensml.data.harmonise.psf import fwhm_of
from lensml.evaluation.adaptation.cameras import tabulate_cameras

ERRORS = {"pixel": 0.002, "psf": 0.01, "zero_point": 0.005}
HST = (0.08, 0.15, 25.96)  # pixel scale, FWHM, zero point


def row(folder: Path, name: str, refusal: str | None = None) -> dict[str, object]:
    """A fit whose pixels are 1 % and whose PSF is 5 % larger, fainter by 0.02 mag."""
    scale, fwhm, zero_point = HST
    psf = (Gaussian(1.0, 1.05 * fwhm),)
    fit = Fit(Camera(1.01 * scale, psf, zero_point + 0.02, 64), ERRORS, 40.0, 45.0, 0.7, refusal)
    fit.write(folder / name)
    domains = {name: configured({}).domain(name).model_dump() for name in ("euclid", "hst")}
    return {
        **{"source_domain": "euclid", "target_domain": "hst", "fit": str(folder / name)},
        **{"source": domains["euclid"], "target": domains["hst"]},
    }


@pytest.fixture
def tables(tmp_path) -> list[Path]:
    rows = [row(tmp_path, "a.json"), row(tmp_path, "b.json", "the populations differ")]
    outputs = [tmp_path / f"cameras.{ending}" for ending in ("csv", "md", "html", "tex")]
    tabulate_cameras(rows, list(map(str, outputs)))
    return outputs


def test_what_a_fit_is_off_by_stands_beside_its_error(tables):
    accepted, refused = pd.read_csv(tables[0], keep_default_na=False).to_dict("records")
    for name, off in {"pixel": 0.01, "psf": 0.05, "zero_point": 0.02}.items():
        assert accepted[f"{name}_off"] == pytest.approx(off, rel=1e-4)
        assert accepted[f"{name}_error"] == ERRORS[name]
    assert accepted["psf_fwhm_true"] == pytest.approx(0.15)
    assert (accepted["refusal"], refused["refusal"]) == ("", "the populations differ")


def test_a_reader_is_told_which_fits_are_used(tables):
    text = tables[1].read_text()
    assert (
        "| +1.00 ± 0.20 % | +5.00 ± 1.00 % | +0.0200 ± 0.0050 mag | 40.0 of 45.0 | accepted"
        in text
    )
    assert "refused: the populations differ" in text
    assert all(path.stat().st_size for path in tables)


def test_the_width_of_a_psf_with_wings_lies_between_those_of_its_parts():
    assert fwhm_of((Gaussian(1.0, 0.2),)) == pytest.approx(0.2)
    winged = fwhm_of((Gaussian(0.75, 0.2), Gaussian(0.25, 0.6)))
    assert 0.2 < winged < 0.25
