"""Noise: its variance, its streams, and what the classes share."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from lenstronomy.SimulationAPI.sim_api import SimAPI
from scipy import stats
from toy.systems import subset

from lensml.schema.simulation import Domain
from lensml.simulate.noise import add_noise, noise_variance
from lensml.simulate.noise_kernel import draw_noise
from lensml.simulate.render import render
from lensml.simulate.systems import Systems, draw_systems

CLASSES = ["no_sub", "cdm", "vortex"]
SEED = 11


@pytest.fixture(scope="module")
def observed(domain) -> dict[str, tuple[Systems, np.ndarray, np.ndarray]]:
    """Truth, noise-free and noisy images of every class."""
    camera = domain("euclid", num_pix=40)
    out = {}
    for substructure in CLASSES:
        systems = draw_systems(camera, substructure, seed=SEED, split="test", start=0, stop=40)
        clean = render(systems, camera, engine="numba", precision="float32")
        noisy = add_noise(clean, systems, seed=SEED, domain="euclid", split="test", start=0)
        out[substructure] = systems, clean, noisy
    return out


def euclid_simulation(domain: Domain) -> Any:
    """lenstronomy's simulator with the numbers of the domain's camera."""
    instrument = domain.instrument
    names = ("pixel_scale", "num_exposures", "read_noise", "sky_brightness")
    band = {name: getattr(instrument, name) for name in names}
    band |= {
        "exposure_time": instrument.exposure_time,
        "magnitude_zero_point": instrument.magnitude_zero_point,
        "seeing": instrument.psf_fwhm,
        "psf_type": "GAUSSIAN",
    }
    return SimAPI(numpix=40, kwargs_single_band=band, kwargs_model={})


@pytest.mark.parametrize("substructure", CLASSES)
def test_noise_has_the_variance_of_lenstronomy(domain, observed, substructure):
    _, clean, noisy = observed[substructure]
    sim = euclid_simulation(domain("euclid"))
    sigma = np.stack([sim.estimate_noise(image.astype(float)) for image in clean])
    z = (noisy.astype(float) - clean) / sigma
    bright = clean > 2 * sim.background_noise**2 * sim.exposure_time  # photons dominate there
    assert bright.sum() > 2000
    for pixels in (bright, ~bright):
        n = pixels.sum()
        # Standard errors of mean and variance of n unit Gaussians; 4 of them: one seed in 16,000.
        assert abs(z[pixels].mean()) < 4 / np.sqrt(n)
        assert abs(z[pixels].var() - 1) < 4 * np.sqrt(2 / n)


def test_noise_is_as_strong_as_a_realisation_of_lenstronomy(domain, observed):
    _, clean, noisy = observed["cdm"]
    sim = euclid_simulation(domain("euclid"))
    theirs = [sim.noise_for_model(image.astype(float), seed=i) for i, image in enumerate(clean)]
    bright = clean > np.percentile(clean, 95)
    ratio = np.var((noisy - clean)[bright]) / np.var(np.stack(theirs)[bright])
    # Two estimates from n Gaussians of unequal width: twice their common error is ample.
    assert abs(ratio - 1) < 4 * np.sqrt(2 * 2 / bright.sum()) * 2


def test_noise_is_normal_and_its_two_halves_are_independent():
    n = 2_000_001  # odd: the last pair of deviates is half used
    bits = np.random.Philox(1).random_raw(n // 2 + 1).view(np.int32)
    zero, z = np.zeros(n, np.float32), np.empty(n, np.float32)
    draw_noise(z, zero, zero, bits, 1.0, 1.0)
    z = z.astype(float)
    # Each is a standard normal deviate in its own standard error; 4 of them are one in 16,000.
    moments = {"mean": z.mean(), "var": (z.var() - 1) / np.sqrt(2)}
    moments |= {"skew": stats.skew(z) / np.sqrt(6), "kurtosis": stats.kurtosis(z) / np.sqrt(24)}
    first, second = z[: n // 2], z[n // 2 + 1 :]  # of one pair, if they share its radius
    for power in (1, 2):
        pairs = np.corrcoef(first**power, second**power)[0, 1]
        neighbours = np.corrcoef(z[1:] ** power, z[:-1] ** power)[0, 1]
        moments |= {f"pairs{power}": pairs / np.sqrt(2), f"neighbours{power}": neighbours}
    for name, value in moments.items():
        assert abs(value) < 4 / np.sqrt(n), name
    assert stats.kstest(z, "norm").pvalue > 1e-4
    assert 4.4 < np.abs(z).max() < 6.7  # of 2e6, in all but one case in 1e4


def test_noise_of_a_pixel_below_zero_is_that_of_the_background():
    variance = noise_variance(np.array([-1.0, 0.0]), background_rms=0.1, exposure_time=100.0)
    np.testing.assert_allclose(variance, 0.01, rtol=1e-12)


def test_classes_share_the_noise_stream_at_equal_index(observed):
    draws = []
    for systems, clean, noisy in observed.values():
        variance = noise_variance(
            clean,
            background_rms=systems.truth["background_rms"][:, None, None],
            exposure_time=systems.truth["exposure_time"][:, None, None],
        )
        draws.append((noisy - clean) / np.sqrt(variance))
    # float32 rounds a noisy image of up to some 1e3 sigma to 1e-7 of that.
    np.testing.assert_allclose(draws[1], draws[0], atol=1e-3)
    np.testing.assert_allclose(draws[2], draws[0], atol=1e-3)


def test_noise_differs_between_indices_seeds_splits_and_domains(observed):
    systems, clean, _ = observed["no_sub"]
    one = subset(systems, 0)
    dark = np.zeros_like(clean[:1])
    base = {"seed": SEED, "domain": "euclid", "split": "test", "start": 0}
    changes = [{}, {"start": 1}, {"seed": SEED + 1}, {"split": "train"}, {"split": "val"}]
    changes += [{"domain": "hst"}]
    draws = np.stack([add_noise(dark, one, **(base | c)).ravel() for c in changes])
    correlation = np.corrcoef(draws)[np.triu_indices(len(changes), 1)]
    # Independent draws of n pixels correlate by 1 / sqrt(n); 15 pairs, 4.5 standard errors.
    assert np.abs(correlation).max() < 4.5 / np.sqrt(dark.size)


def test_noise_of_an_image_does_not_depend_on_where_its_block_starts(observed):
    systems, clean, noisy = observed["cdm"]
    again = add_noise(
        clean[7:8], subset(systems, 7), seed=SEED, domain="euclid", split="test", start=7
    )
    np.testing.assert_array_equal(again[0], noisy[7])
