"""The section ``observed``: names of lenses, extensions, kinds of noise, the files of a lens."""

from __future__ import annotations

import pytest
import yaml
from pydantic import ValidationError

from lensml.schema.observed import Observed, ObservedLens, files_of


def observed(text: str) -> Observed:
    """The section with lenses of a YAML text, as a configuration file holds them."""
    lenses = yaml.safe_load(text)
    return Observed.model_validate(
        {"domain": None, "n_reference": 10, "n_mocks": 0, "lenses": lenses}
    )


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("102018665", "102018665"),
        ("J0946+1006", "J0946+1006"),
        ("SDSS J0946+1006", "SDSS J0946+1006"),
        ("'0123'", "0123"),
        ("2024-05-01", "2024-05-01"),
        ("-7.5", "-7.5"),
        ("COSMOS-Web ring (F150W)", "COSMOS-Web ring (F150W)"),
        ("a/b", "a/b"),
        ("Ω | 1 & $x_2$", "Ω | 1 & $x_2$"),
    ],
)
def test_a_lens_has_any_name_that_fits_in_a_table(written, name):
    assert list(observed(f"{written}: {{image: a.fits}}").lenses) == [name]


@pytest.mark.parametrize("name", ["''", "'  '", '"a\\nb"', "x" * 65, "no", "null"])
def test_what_is_no_name_is_refused(name):
    with pytest.raises(ValidationError, match="name"):
        observed(f"{name}: {{image: a.fits}}")


def test_a_name_given_as_number_and_as_text_is_refused():
    with pytest.raises(ValidationError, match="17 is listed twice, as a number and as a text"):
        observed("{17: {image: a.fits}, '17': {image: b.fits}}")


@pytest.mark.parametrize("hdu", ["2", "SCI", "[SCI, 2]", "null"])
def test_an_extension_is_a_number_a_name_or_both(hdu):
    lens = observed(f"a: {{image: a.fits, hdu: {hdu}, noise_hdu: {hdu}, psf_hdu: {hdu}}}").lenses[
        "a"
    ]
    assert lens.hdu == lens.noise_hdu == lens.psf_hdu == yaml.safe_load(hdu)
    assert ObservedLens.model_validate(lens.model_dump()) == lens


@pytest.mark.parametrize("hdu", ["[SCI]", "[2, SCI]", "[SCI, 2, 3]", "[SCI, two]", "1.5"])
def test_another_extension_is_refused(hdu):
    with pytest.raises(ValidationError):
        observed(f"a: {{image: a.fits, hdu: {hdu}}}")


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("noise_map: b.fits, noise_kind: sigma", "rms"),
        ("noise_kind: weight", "noise_kind is that of noise_map, which is missing"),
        ("psf_pixel_scale: 0.01", "psf_pixel_scale is that of psf, which is missing"),
        ("psf: b.fits, psf_pixel_scale: 0.0", "greater than 0"),
        ("psf: b.fits, psf_fwhm: 0.1", "give psf or psf_fwhm, not both"),
    ],
)
def test_keys_that_do_not_go_together_are_refused(wrong, says):
    with pytest.raises(ValidationError, match=says):
        observed(f"a: {{image: a.fits, {wrong}}}")


def test_every_file_of_a_lens_is_listed_once():
    assert files_of(ObservedLens(image="a.fits")) == ["a.fits"]
    three = ObservedLens(image="a.fits", noise_map="b.fits", psf="c.fits")
    assert files_of(three) == ["a.fits", "b.fits", "c.fits"]
    one = ObservedLens(image="a.fits", noise_map="a.fits", noise_hdu=2, psf="a.fits", psf_hdu=3)
    assert files_of(one) == ["a.fits"]


def test_no_file_is_read_that_is_not_listed():
    """Keys of the section that are texts name files, kinds or extensions; no other is known."""
    texts = {
        name
        for name, field in ObservedLens.model_fields.items()
        if field.annotation in (str, str | None)
    }
    full = ObservedLens.model_validate({name: f"{name}.fits" for name in texts})
    assert set(files_of(full)) == {f"{name}.fits" for name in texts}
