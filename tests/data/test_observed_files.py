"""What files of observed lenses hold: planes, scales, PSFs, each read or refused with a reason."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from lensml.data.observed import Cutout, Grid, UnusableImageError, fwhm_of, read_cutout
from lensml.data.observed.gaps import without_data
from lensml.schema.observed import ObservedLens

EUCLID = Grid(num_pix=64, pixel_scale=0.101, psf_fwhm=0.16)
SIZE, SCALE = 160, 0.05
FWHM_PER_SIGMA = 2 * np.sqrt(2 * np.log(2))
TAN = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 1.0, "CRVAL2": 1.0}
CD = {"CD1_1": -SCALE / 3600, "CD2_2": SCALE / 3600}


def picture(seed: int = 1, size: int = SIZE) -> np.ndarray:
    axis = (np.arange(size) - (size - 1) / 2) * SCALE
    ring = 0.2 * np.exp(-((np.hypot(axis[:, None], axis) - 1.2) ** 2) / 0.0288)
    return ring + np.random.default_rng(seed).normal(0, 0.01, (size, size))


def primary(array: np.ndarray | None, header: dict[str, Any] | None = None) -> fits.PrimaryHDU:
    return fits.PrimaryHDU(array, header=fits.Header(header or {}))


def extension(array: np.ndarray, name: str, version: int = 1, **header: Any) -> fits.ImageHDU:
    return fits.ImageHDU(array, header=fits.Header(header), name=name, ver=version)


class Files:
    """Writes FITS files and reads cut-outs of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, *extensions: Any, name: str = "a.fits") -> str:
        fits.HDUList(list(extensions)).writeto(self.folder / name, overwrite=True)
        return str(self.folder / name)

    def read(self, *extensions: Any, **known: Any) -> Cutout:
        given = {"image": self.write(*extensions), **known}
        return read_cutout(ObservedLens.model_validate(given), EUCLID)

    def refused(self, *extensions: Any, **known: Any) -> str:
        with pytest.raises(UnusableImageError) as caught:
            self.read(*extensions, **known)
        assert "\n" not in str(caught.value)
        return str(caught.value)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


# Which plane


@pytest.mark.parametrize("axes", [1, 2])
def test_axes_of_length_one_are_no_planes(files, axes):
    image = picture()
    whole = files.read(primary(image), pixel_scale=SCALE)
    found = files.read(primary(image[(None,) * axes]), pixel_scale=SCALE)
    np.testing.assert_array_equal(found.image, whole.image)


def test_several_planes_are_refused(files):
    said = files.refused(primary(np.zeros((3, SIZE, SIZE))), pixel_scale=SCALE)
    assert "holds an array of shape (3, 160, 160), not an image" in said


def test_an_empty_primary_with_one_image_is_read(files):
    found = files.read(primary(None), extension(picture(), "VIS"), pixel_scale=SCALE)
    assert found.image.max() > 40


def test_among_several_images_the_one_called_sci_is_read(files):
    image = picture()
    weights = extension(np.full(image.shape, 1e4), "WHT")
    found = files.read(primary(None), weights, extension(image, "SCI"), pixel_scale=SCALE)
    whole = files.read(primary(image), pixel_scale=SCALE)
    np.testing.assert_array_equal(found.image, whole.image)


@pytest.mark.parametrize("hdu", [None, 0, "DATA", ["SCI", 3], 9])
def test_where_the_image_is_not_named_the_extensions_are(files, hdu):
    several = [extension(picture(), name) for name in ("VIS", "NIR")]
    several.append(extension(picture(), "NIR", 2))
    said = files.refused(primary(None), *several, pixel_scale=SCALE, hdu=hdu)
    assert "images are in 1 'VIS', 2 'NIR', 3 'NIR' version 2" in said


def test_a_version_of_an_extension_can_be_named(files):
    image = picture(2)
    both = [extension(picture(), "SCI"), extension(image, "SCI", 2)]
    found = files.read(primary(None), *both, pixel_scale=SCALE, hdu=["SCI", 2])
    whole = files.read(primary(image), pixel_scale=SCALE)
    np.testing.assert_array_equal(found.image, whole.image)


def test_a_table_is_no_image(files):
    table = fits.BinTableHDU.from_columns([fits.Column("a", "E", array=np.ones(3))])
    assert "extension 1: holds a table, not an image" in files.refused(primary(None), table, hdu=1)


def test_the_image_is_not_its_own_noise(files):
    image = extension(picture(), "SCI")
    path = files.write(primary(None), image)
    said = files.refused(primary(None), image, pixel_scale=SCALE, noise_map=path)
    assert "the noise map is the image; give noise_hdu" in said
    said = files.refused(primary(None), image, pixel_scale=SCALE, psf=path)
    assert "the PSF is the image itself; give psf_hdu" in said


def test_compressed_and_zipped_files_are_read(files):
    image = picture()
    packed = fits.CompImageHDU(image.astype(np.float32), name="SCI", compression_type="GZIP_2")
    found = files.read(primary(None), packed, pixel_scale=SCALE)
    assert found.image.max() == pytest.approx(
        files.read(primary(image), pixel_scale=SCALE).image.max(), rel=0.03
    )
    zipped = files.write(primary(image), name="a.fits.gz")
    assert read_cutout(ObservedLens(image=zipped, pixel_scale=SCALE), EUCLID).image.max() > 40


def test_a_truncated_file_is_a_reason(files):
    path = Path(files.write(primary(picture())))
    path.write_bytes(path.read_bytes()[:50_000])
    with pytest.raises(UnusableImageError, match="cannot be read"):
        read_cutout(ObservedLens(image=str(path), pixel_scale=SCALE), EUCLID)


# The size of a pixel


def test_the_scale_and_what_says_so_are_kept(files):
    cd = files.read(primary(picture(), {**TAN, **CD})).observation.scale
    assert cd.arcsec == pytest.approx(SCALE)
    assert cd.source == "CD matrix"
    steps = {"CDELT1": -SCALE / 3600, "CDELT2": SCALE / 3600}
    assert files.read(primary(picture(), {**TAN, **steps})).observation.scale.source == "CDELT"
    given = files.read(primary(picture(), {**TAN, **CD}), pixel_scale=0.06).observation.scale
    assert given.arcsec == 0.06
    assert given.source == "pixel_scale, against 0.05 of the header"


def test_an_image_as_large_as_the_field_is_enough_whatever_the_header_rounds(files):
    for step in (0.101 / 3600, np.nextafter(0.101 / 3600, 0)):
        header = {**TAN, "CDELT1": -step, "CDELT2": step}
        assert files.read(primary(picture(size=64), header)).finer_by == pytest.approx(1)
    assert "are needed" in files.refused(primary(picture(size=63), header))


@pytest.mark.parametrize("angle", [0.0, 0.4, 2.0])
def test_a_rotation_does_not_change_the_scale(files, angle):
    c, s = np.cos(angle) * SCALE / 3600, np.sin(angle) * SCALE / 3600
    rotated = {"CD1_1": -c, "CD1_2": s, "CD2_1": s, "CD2_2": c}
    found = files.read(primary(picture(), {**TAN, **rotated}))
    assert found.observation.scale.arcsec == pytest.approx(SCALE)


@pytest.mark.parametrize(
    ("unit", "value"),
    [
        ("deg", SCALE / 3600),
        ("DEGREES", SCALE / 3600),
        ("arcsec", SCALE),
        ("arcmin", SCALE / 60),
        ("mas", 1000 * SCALE),
        ("rad", np.radians(SCALE / 3600)),
    ],
)
def test_the_unit_of_the_header_is_used(files, unit, value):
    header = {**TAN, "CDELT1": -value, "CDELT2": value, "CUNIT1": unit, "CUNIT2": unit}
    found = files.read(primary(picture(), header)).observation.scale
    assert found.arcsec == pytest.approx(SCALE, rel=1e-6)


@pytest.mark.parametrize(
    "distortion",
    [
        {"CPDIS1": "Lookup", "CPDIS2": "Lookup"},
        {"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", "A_ORDER": 2},
        {"CTYPE1": "RA---TPV", "CTYPE2": "DEC--TPV"},
        {"CTYPE1": "RA---XYZ", "CTYPE2": "DEC--XYZ"},
    ],
)
def test_distortions_that_cannot_be_read_leave_the_linear_scale(files, distortion):
    found = files.read(primary(picture(), {**TAN, **CD, **distortion})).observation.scale
    assert found.arcsec == pytest.approx(SCALE)
    lost = {"CPDIS1", "A_ORDER"} & distortion.keys()
    assert found.source == ("CD matrix, distortion left out" if lost else "CD matrix")


HEADERS = {
    "no WCS": ({}, "has no WCS (CTYPE1 is missing); give pixel_scale"),
    "no scale": (TAN, "has neither a CD matrix nor CDELT; give pixel_scale"),
    "a plane that is no sky": (
        {**TAN, **CD, "CTYPE1": "LINEAR"},
        "CTYPE1 = 'LINEAR' is no sky; give pixel_scale",
    ),
    "a unit that is no angle": ({**TAN, **CD, "CUNIT2": "Hz"}, "CUNIT2 = 'Hz' is no angle"),
    "a unit that is none": ({**TAN, **CD, "CUNIT1": "fortnight?"}, "'fortnight?' is no angle"),
    "a text for a number": ({**TAN, **CD, "CD1_1": "small"}, "CD1_1 = 'small' is no number"),
    "no area": ({**TAN, "CD1_1": 1e-5, "CD2_1": 1e-5}, "CD matrix gives pixels of no area"),
    "pixels that are not square": (
        {**TAN, **CD, "CD2_2": 2 * SCALE / 3600},
        "pixels of 0.1 x 0.05 arcsec, which are not square",
    ),
    "arcsec labelled deg": (
        {**TAN, "CDELT1": -SCALE, "CDELT2": SCALE},
        "180 arcsec per pixel by CDELT, where 0.0001 to 5 are possible; is it in arcsec though "
        "labelled deg?",
    ),
}


@pytest.mark.parametrize("case", HEADERS)
def test_a_header_that_does_not_tell_the_scale_is_a_reason(files, case):
    header, reason = HEADERS[case]
    assert reason in files.refused(primary(picture(), header))


@pytest.mark.parametrize(
    ("given", "guess"),
    [
        (1000 * SCALE, "50 arcsec per pixel by pixel_scale, where 0.0001 to 5 are possible; is"),
        (1000 * SCALE, "is it in milliarcsec?"),
        (SCALE / 3600, "is it in degrees?"),
    ],
)
def test_a_scale_of_no_image_of_a_lens_is_refused(files, given, guess):
    assert guess in files.refused(primary(picture()), pixel_scale=given)


@pytest.mark.parametrize("scale", [0.5, 1.2, 3.0])
def test_pixels_as_large_as_a_ring_are_refused(files, scale):
    said = files.refused(primary(picture()), pixel_scale=scale)
    assert f"its pixels of {scale:g} arcsec (by pixel_scale) are as large as a ring" in said
    assert files.read(primary(picture()), pixel_scale=0.4).finer_by == pytest.approx(0.2525)


# The PSF


def psf(size: int, scale: float, fwhm: float = 0.1) -> np.ndarray:
    axis = (np.arange(size) - size // 2) * scale / (fwhm / FWHM_PER_SIGMA)
    return np.exp(-(axis[:, None] ** 2 + axis**2) / 2)


FINER = 0.0125
SAYS = {
    "PIXELSCL": ({"PIXELSCL": FINER}, {}, "PIXELSCL"),
    "PIXSCALE": ({"PIXSCALE": FINER}, {}, "PIXSCALE"),
    "its own WCS": (
        {**TAN, "CD1_1": -FINER / 3600, "CD2_2": FINER / 3600},
        {},
        "CD matrix",
    ),
    "the configuration": ({"PIXELSCL": 0.05}, {"psf_pixel_scale": FINER}, "psf_pixel_scale"),
}


@pytest.mark.parametrize("says", SAYS)
def test_a_psf_of_finer_pixels_is_as_wide_as_it_is(files, says):
    header, known, source = SAYS[says]
    known = {**known, "psf": files.write(primary(psf(161, FINER), header), name="psf.fits")}
    found = files.read(primary(picture()), pixel_scale=SCALE, **known)
    assert found.observation.psf is not None
    assert found.observation.psf.fwhm == pytest.approx(0.1, rel=0.01)
    assert found.observation.psf.scale is not None
    assert found.observation.psf.scale.source == source
    assert found.psf_ratio == 1
    told = files.read(primary(picture()), pixel_scale=SCALE, psf_fwhm=0.1)
    assert found.image.max() == pytest.approx(told.image.max(), rel=0.01)
    assert found.image.max() == pytest.approx(82.8, rel=0.01)


def test_a_psf_that_says_nothing_has_the_image_s_pixels(files):
    known = {"psf": files.write(primary(psf(41, SCALE)), name="psf.fits")}
    found = files.read(primary(picture()), pixel_scale=SCALE, **known).observation.psf
    assert found is not None
    assert found.scale is not None
    assert found.scale.source == "the image's pixels"
    assert found.fwhm == pytest.approx(0.1, rel=0.05)


def test_a_psf_s_scale_that_is_none_is_a_reason(files):
    for header in ({"PIXELSCL": "fine"}, {"PIXELSCL": -1.0}, {"PIXSCALE": 12.5}):
        path = files.write(primary(psf(41, SCALE), header), name="psf.fits")
        said = files.refused(primary(picture()), pixel_scale=SCALE, psf=path)
        assert next(iter(header)) in said


@pytest.mark.parametrize("size", [257, 513])
def test_a_large_psf_is_measured_in_little_memory(size):
    image = psf(size, 0.05)
    tracemalloc.start()
    try:
        found = fwhm_of(image)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found * 0.05 == pytest.approx(0.1, rel=0.02)
    assert peak < 30 * 2**20


@pytest.mark.parametrize("fwhm", [1.5, 2.0, 7.3, 60.0])
@pytest.mark.parametrize("size", [33, 64, 401])
def test_the_width_does_not_depend_on_the_size_of_the_image(fwhm, size):
    if fwhm < size / 2:
        assert fwhm_of(psf(size, 1.0, fwhm)) == pytest.approx(fwhm, rel=0.08 if fwhm < 2 else 0.02)


def test_a_second_source_beside_the_psf_is_no_part_of_it():
    image = psf(101, 1.0, 5.0)
    image[10:20, 10:20] = 0.9
    assert fwhm_of(image) == pytest.approx(5.0, rel=0.02)


@pytest.mark.parametrize("cut", [np.ones((5, 5)), np.ones((1, 1)), psf(5, 1.0, 9.0)])
def test_a_psf_that_is_cut_off_in_its_core_is_refused(cut):
    with pytest.raises(UnusableImageError, match="above half its peak at the edge"):
        fwhm_of(cut)


# Areas of one value


def test_noise_is_data_wherever_it_is():
    rng = np.random.default_rng(0)
    assert not without_data(rng.normal(size=(200, 200))).any()
    assert not without_data(rng.normal(size=(20, 20)).astype(np.float32)).any()
    counts = rng.poisson(900, (300, 300)).astype(float)
    assert not without_data(counts).any()


@pytest.mark.parametrize("value", [0.0, -1.5, 7.0])
def test_areas_of_one_value_are_found_to_their_last_pixel(value):
    rng = np.random.default_rng(0)
    y, x = np.indices((80, 80))
    for area in (
        np.hypot(x - 40, y - 40) > 30,
        x < 2,  # a strip at the edge
        (x > 20) & (x < 23),  # between two detectors
        y == 50,  # a dead row
        np.hypot(x - 40, y - 40) < 3,  # a saturated core
        x + y < 30,
    ):
        image = np.where(area, value, rng.normal(size=(80, 80)))
        np.testing.assert_array_equal(without_data(image), area)


def test_missing_pixels_join_no_area():
    image = np.random.default_rng(0).normal(size=(40, 40))
    image[10:20, 10:20] = np.nan
    image[0, 0] = np.inf
    np.testing.assert_array_equal(without_data(image), ~np.isfinite(image))
