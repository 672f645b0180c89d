"""Pinned instruments beside lenstronomy's own."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import pytest
from lenstronomy.SimulationAPI.ObservationConfig.Euclid import Euclid
from lenstronomy.SimulationAPI.ObservationConfig.HST import HST
from lenstronomy.SimulationAPI.ObservationConfig.JWST import JWST
from lenstronomy.SimulationAPI.ObservationConfig.LSST import LSST
from lenstronomy.SimulationAPI.ObservationConfig.Roman import Roman
from toy.configuration import CATALOGUE

from lensml.schema.instrument import Instrument
from lensml.schema.yaml_reader import read_yaml


class InstrumentDrift(UserWarning):
    """An instrument that is pinned here has other values in the installed lenstronomy."""


def report_drift(name: str, pinned: Instrument, installed: Mapping[str, Any]) -> int:
    """Warn of every value that differs; returns how many were compared."""
    names = {
        **{n: n for n in ("pixel_scale", "exposure_time", "num_exposures", "read_noise")},
        **{n: n for n in ("sky_brightness", "magnitude_zero_point")},
        "psf_fwhm": "seeing",
    }
    for ours, theirs in names.items():
        found, expected = getattr(pinned, ours), installed[theirs]
        if found != expected:
            text = f"{name}.{ours} is pinned to {found}, lenstronomy has {expected}"
            warnings.warn(text, InstrumentDrift, stacklevel=2)
    return len(names)


INSTALLED = {
    "euclid_vis": lambda: Euclid(band="VIS"),
    "euclid_vis_2021": lambda: Euclid(band="VIS"),
    "hst_f160w": lambda: HST(band="WFC3_F160W"),
    "hst_f160w_narrow": lambda: HST(band="WFC3_F160W"),
    "roman_f129": lambda: Roman(band="F129"),
    "jwst_f115w": lambda: JWST(band="F115W"),
    "lsst_i": lambda: LSST(band="i"),
}


def shipped_instrument(name: str) -> Instrument:
    file = CATALOGUE / "instruments" / f"{name}.yaml"
    return Instrument.model_validate(read_yaml(file))


# Shown in the summary of warnings, where an error would stop the work: the pinned values stand.
@pytest.mark.filterwarnings("always:.* is pinned to .*, lenstronomy has .*:UserWarning")
@pytest.mark.parametrize("name", list(INSTALLED))
def test_drift_of_pinned_instruments_is_reported(name):
    compared = report_drift(name, shipped_instrument(name), INSTALLED[name]().kwargs_single_band())
    assert compared == 7  # every number that lenstronomy knows of; it fails when one is renamed


def test_drift_is_noticed_value_by_value():
    pinned = shipped_instrument("euclid_vis")
    same = pinned.model_dump() | {"seeing": pinned.psf_fwhm}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        report_drift("euclid_vis", pinned, same)
    assert caught == []
    with pytest.warns(InstrumentDrift, match="read_noise is pinned to 4.2, lenstronomy has 9"):
        report_drift("euclid_vis", pinned, same | {"read_noise": 9.0})


@pytest.mark.parametrize("name", sorted(INSTALLED))
def test_pinned_instruments_keep_their_values(name):
    """The numbers written a second time: images of other values are other data."""
    expected = {
        "euclid_vis": (0.101, 566.0, 4, 4.2, 22.3, 25.72, 0.16),
        "euclid_vis_2021": (0.101, 565.0, 4, 4.2, 22.35, 24.0, 0.16),
        "hst_f160w": (0.08, 5400.0, 1, 4.0, 22.3, 25.96, 0.15),
        "hst_f160w_narrow": (0.08, 5400.0, 1, 4.0, 22.3, 25.96, 0.08),
        "roman_f129": (0.11, 107.0, 6, 8.5, 22.99, 26.353, 0.106),
        "jwst_f115w": (0.031, 257.0, 8, 15.77, 22.5, 28.02, 0.04),
        "lsst_i": (0.2, 15.0, 460, 10.0, 20.48, 27.79, 0.71),
    }[name]
    i = shipped_instrument(name)
    found = (i.pixel_scale, i.exposure_time, i.num_exposures, i.read_noise)
    assert (*found, i.sky_brightness, i.magnitude_zero_point, i.psf_fwhm) == expected


def test_hubble_exposes_no_longer_than_its_orbits_allow():
    """One orbit of 96 minutes sees a target for less than an hour (WFC3 instrument handbook)."""
    content = read_yaml(CATALOGUE / "instruments" / "hst_f160w.yaml")
    orbits = {"one orbit": 1, "two orbits": 2}[content["description"].split(", ")[1]]
    assert 0.5 < content["exposure_time"] * content["num_exposures"] / (3600 * orbits) < 1
