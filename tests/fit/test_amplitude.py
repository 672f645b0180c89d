"""The amplitude of the potential, chosen on proxies."""

from __future__ import annotations

import numpy as np
import pytest

from lensml.fit.amplitude import AMPLITUDES, Spectrum, choose_amplitude

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
