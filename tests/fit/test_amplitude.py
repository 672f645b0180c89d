"""The amplitude of the potential, chosen on proxies."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from toy.fits import N_FITTED, fit_spec

from lensml.evaluation.anomaly.proxies import make_proxies
from lensml.fit.amplitude import AMPLITUDES, Spectrum, best_amplitude, measure_amplitudes, powers
from lensml.schema.anomaly import Proxies

TRUE = 3e-6


def spectra(n, amplitude, seed):
    """Spectra of images with a potential of an amplitude: b has covariance C + A C^2."""
    rng = np.random.default_rng(seed)
    values = np.geomspace(1e7, 1e-1, 40)
    return [
        Spectrum(values, rng.chisquare(1, 40) * (values + amplitude * values**2)) for _ in range(n)
    ]


def test_evidence_is_that_of_the_matrices():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(12, 30)) * np.geomspace(1, 100, 12)[:, None]
    residual = rng.normal(size=30)
    b, products = rows @ residual, rows @ rows.T
    for amplitude in (1e-4, 1e-2, 1.0):
        covariance = np.eye(30) + amplitude * rows.T @ rows
        gain = residual @ residual - residual @ np.linalg.solve(covariance, residual)
        expected = 0.5 * gain - 0.5 * np.linalg.slogdet(covariance)[1]
        found = Spectrum.of(b, products).evidence(np.array([amplitude]))
        assert found == pytest.approx([expected], rel=1e-6)


def choose_amplitude(proxies, smooth, amplitudes=AMPLITUDES):
    return best_amplitude(powers(proxies, smooth, amplitudes), amplitudes)


def test_the_amplitude_that_is_there_is_found():
    chosen = choose_amplitude(spectra(400, TRUE, 1), spectra(400, 0.0, 2))
    assert np.log10(chosen / TRUE) == pytest.approx(0, abs=0.8)


def test_a_stronger_potential_asks_for_a_larger_amplitude():
    weak, strong = (
        choose_amplitude(spectra(400, a, 3), spectra(400, 0.0, 4)) for a in (1e-7, 3e-5)
    )
    assert weak < strong


def test_of_equally_good_amplitudes_the_middle_one_is_taken():
    # Every proxy is found at any amplitude.
    found = choose_amplitude(spectra(20, 1.0, 5), spectra(20, 0.0, 6), AMPLITUDES[8:13])
    assert found == AMPLITUDES[10]


def test_choosing_from_nothing_is_refused():
    some = spectra(2, TRUE, 7)
    for proxies, smooth, amplitudes in (([], some, [1.0]), (some, [], [1.0]), (some, some, [])):
        with pytest.raises(ValueError, match="allowed is at least one of each"):
            choose_amplitude(proxies, smooth, np.array(amplitudes))


def test_amplitudes_are_measured_on_proxies_alone(fitted, tmp_path):
    smooth, proxies, output = fitted.stores("val")[0], tmp_path / "p.zarr", tmp_path / "a.csv"
    sizes = {"n_images": N_FITTED, "displacement": [0.3, 0.5], "width": [0.3, 0.5]}
    make_proxies(smooth, proxies, Proxies.model_validate(sizes), seed=1)
    spec = fit_spec(n_reference=100)
    measure_amplitudes(proxies, smooth, fitted.root / "reference.npz", output, spec=spec)
    table = pd.read_csv(output)
    amplitude, power = (table[name].to_numpy(float) for name in ("amplitude", "power"))
    assert amplitude == pytest.approx(AMPLITUDES, rel=1e-5)
    assert np.all((power >= 0) & (power <= 1))
    (best,) = np.flatnonzero(table["best"])
    assert power[best] == power.max() > 0.5  # a third of an arcsecond is much
    (configured,) = np.flatnonzero(table["configured"])
    assert amplitude[configured] == pytest.approx(1.8e-6, rel=0.4)


def test_no_amplitude_is_measured_where_no_potential_is_looked_for(fitted, tmp_path):
    smooth, output = fitted.stores("val")[0], tmp_path / "a.csv"
    given = (smooth, smooth, fitted.root / "reference.npz", output)
    with pytest.raises(ValueError, match="potential = null"):
        measure_amplitudes(*given, spec=fit_spec(potential=None))
    assert not output.exists()
