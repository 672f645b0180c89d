"""The potential filter against sums over pixels, under noise, and of potentials that are there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from scipy import stats
from toy.fits import POTENTIAL, fit_spec, simulated

from lensml.fit.potential import Filter
from lensml.fit.potential_kernel import explain, find_products
from lensml.fit.smooth import SmoothFitter
from lensml.simulate.noise import add_noise
from lensml.simulate.render import render
from lensml.simulate.systems import Systems

A = POTENTIAL["amplitude"]


@dataclass
class Fitted:
    """A lens that was fitted, with its filter's matrix of modes and pixels written out."""

    fitter: SmoothFitter
    x: np.ndarray
    filter: Filter
    rows: np.ndarray  # (M, pixels), nothing projected out
    convergence: np.ndarray  # (M, pixels)

    @property
    def memory(self):
        return self.fitter._memory

    def directions(self) -> np.ndarray:
        """(pixels, K) orthonormal, of what the fit has taken out."""
        memory = self.memory
        columns = np.concatenate([memory.basis, memory.slopes]).astype(float)
        return np.linalg.qr(columns.T)[0]

    def projected(self) -> np.ndarray:
        q = self.directions()
        return self.rows - (self.rows @ q) @ q.T

    def of(self, residual: np.ndarray) -> tuple[float, float, np.ndarray, np.ndarray]:
        """z, evidence and maps of another residual (pixels,) of the same lens."""
        memory, modes = self.filter.memory, self.filter.modes
        z = find_products(memory, residual.astype(np.float32), modes)
        evidence = explain(memory, modes, A)
        return z, evidence, memory.kappa.copy(), memory.kappa_std.copy()


def written_out(filter_: Filter, maps: np.ndarray, weights: np.ndarray):
    """Rows of G = d(residual over noise)/da, and of the convergence, (M, pixels) each."""
    modes = filter_.modes
    x, y = np.meshgrid(modes.axis, modes.axis)
    phase = modes.kx[:, None, None] * x + modes.ky[:, None, None] * y
    cos, sin = np.cos(phase), np.sin(phase)
    gradients = [
        np.concatenate(
            [-sin * (modes.scale * k)[:, None, None], cos * (modes.scale * k)[:, None, None]]
        )
        for k in (modes.kx, modes.ky)
    ]
    half_laplacian = (-modes.scale * (modes.kx**2 + modes.ky**2) / 2)[:, None, None]
    convergence = np.concatenate([cos * half_laplacian, sin * half_laplacian])
    by_x, by_y = maps[14].astype(float), maps[15].astype(float)
    rows = (gradients[0] * by_x + gradients[1] * by_y).reshape(len(convergence), -1) * weights
    return rows, convergence.reshape(len(convergence), -1)


@pytest.fixture
def fitted(bright, reference_of) -> Fitted:
    _, images = simulated(bright, "no_sub", 3)
    fitter = SmoothFitter(bright, fit_spec())
    found = list(fitter.fit(images, reference_of(bright)))[-1]
    assert fitter._filter is not None
    memory = fitter._memory
    rows, convergence = written_out(fitter._filter, memory.maps, memory.weights)
    return Fitted(fitter, found.parameters, fitter._filter, rows, convergence)


def test_products_are_sums_over_pixels(fitted):
    z, b, products = fitted.fitter.products(fitted.x)
    rows, residual = fitted.projected(), fitted.memory.residual.astype(float)
    expected = rows @ rows.T
    np.testing.assert_allclose(products, expected, atol=1e-5 * np.abs(expected).max())
    np.testing.assert_allclose(b, rows @ residual, atol=1e-5 * np.abs(rows @ residual).max())
    whole = (b @ b - np.trace(expected)) / np.sqrt(2 * np.square(expected).sum())
    assert z == pytest.approx(whole, abs=1e-4)


def test_evidence_and_maps_are_those_of_the_gaussian_process(fitted):
    _, evidence, kappa, deviation = fitted.of(fitted.memory.residual)
    rows, residual = fitted.projected(), fitted.memory.residual.astype(float)
    covariance = np.eye(residual.size) + A * rows.T @ rows
    # ln N(r | 0, 1 + A G^T G) - ln N(r | 0, 1), pixels rather than modes.
    gain = residual @ residual - residual @ np.linalg.solve(covariance, residual)
    assert evidence == pytest.approx(
        0.5 * gain - 0.5 * np.linalg.slogdet(covariance)[1], rel=1e-3, abs=1e-3
    )
    posterior = np.linalg.inv(rows @ rows.T + np.eye(len(rows)) / A)
    expected = fitted.convergence.T @ (posterior @ (rows @ residual))
    np.testing.assert_allclose(kappa.ravel(), expected, atol=1e-4 * np.abs(expected).max())
    variance = np.einsum("mp,mp->p", fitted.convergence, posterior @ fitted.convergence)
    np.testing.assert_allclose(deviation.ravel(), np.sqrt(variance), rtol=1e-4)


def test_what_the_fit_can_do_is_projected_out(fitted):
    """Any change of lens, source or lens light leaves no trace in z, evidence or map."""
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(fitted.memory.residual.size)
    before = fitted.of(noise)
    directions = fitted.directions()
    strong = 50 * directions @ rng.standard_normal(directions.shape[1])
    after = fitted.of(noise + strong)
    assert after[0] == pytest.approx(before[0], abs=0.02)
    assert after[1] == pytest.approx(before[1], abs=0.02)
    np.testing.assert_allclose(after[2], before[2], atol=2e-3 * np.abs(before[2]).max())
    # And it is not that nothing would: the same length along the modes is seen at once.
    seen = fitted.rows[5] / np.linalg.norm(fitted.rows[5])
    assert fitted.of(noise + 50 * seen)[0] > before[0] + 5


def test_z_has_zero_mean_and_unit_variance_under_noise(fitted):
    rng = np.random.default_rng(1)
    n = 400
    z = np.array(
        [fitted.of(rng.standard_normal(fitted.memory.residual.size))[0] for _ in range(n)]
    )
    assert z.mean() == pytest.approx(0, abs=4 / np.sqrt(n))
    # Few modes dominate, so z is a sum of few chi2 and its fourth moment is large.
    error = np.sqrt((stats.kurtosis(z) + 2) / n)
    assert z.var() == pytest.approx(1, abs=4 * error)


def test_the_deviation_of_the_map_is_calibrated(fitted):
    """Potentials drawn from the prior are off by as much as the map says, pixel by pixel."""
    rng = np.random.default_rng(2)
    rows, n = fitted.projected(), 200
    pulls, coverage = [], []
    for _ in range(n):
        a = rng.normal(0, np.sqrt(A), len(rows))
        residual = a @ rows + rng.standard_normal(rows.shape[1])
        _, _, kappa, deviation = fitted.of(residual)
        true = a @ fitted.convergence
        pulls.append((true - kappa.ravel()) / deviation.ravel())
        coverage.append(np.corrcoef(true, kappa.ravel())[0, 1])
    pulls = np.array(pulls)
    # Pixels of a map are some hundred independent numbers at most.
    assert pulls.var() == pytest.approx(1, abs=0.1)
    assert np.abs(pulls.mean(0)).max() < 5 / np.sqrt(n)
    assert np.mean(coverage) > 0.2


def test_a_potential_on_the_arcs_is_found_with_its_sign_and_strength(fitted):
    """One mode far above the noise comes back as it was put in."""
    rows = fitted.projected()
    strongest = np.linalg.norm(rows, axis=1).argmax()
    for a in (40.0, -40.0):
        a /= np.linalg.norm(rows[strongest])
        residual = a * rows[strongest]  # without noise
        posterior = np.linalg.inv(rows @ rows.T + np.eye(len(rows)) / A)
        # What a Wiener filter gives back of it, its projections on other modes included.
        expected = fitted.convergence.T @ (posterior @ (rows @ residual))
        kappa = fitted.of(residual)[2].ravel()
        np.testing.assert_allclose(kappa, expected, atol=2e-3 * np.abs(expected).max())
        assert np.corrcoef(kappa, a * fitted.convergence[strongest])[0, 1] > 0.1


def with_masses(camera, systems, images, i, positions, theta_E):
    """Image ``i`` observed again with point masses in the plane of the lens."""
    truth = {name: column[[i]] for name, column in systems.truth.items()}
    columns: dict[str, np.ndarray] = dict(
        zip(("center_x", "center_y"), np.array(positions).T, strict=True)
    )
    columns["theta_E"] = np.full(len(positions), theta_E)
    perturbed = Systems("POINT_MASS", truth, np.array([0, len(positions)]), columns)
    clean = render(perturbed, camera, engine="numba", precision="float32")
    where = {"seed": 9, "domain": camera.name, "split": "test", "start": i}
    one = images.row(i)
    noisy = add_noise(clean, perturbed, **where, subtracted=one.subtracted)
    return type(one)(noisy, one.background_rms, one.exposure_time, one.subtracted)


def test_the_map_shows_a_subhalo_of_the_simulator_where_it_is(domain, reference_of):
    camera = domain("euclid")
    systems, images = simulated(camera, "no_sub", 6)
    fitter = SmoothFitter(camera, fit_spec())
    axis = fitter._filter.modes.axis  # type: ignore[union-attr]
    found = []
    for i in range(len(images)):
        (smooth,) = fitter.fit(images.row(i), reference_of(camera))
        arcs = np.where(np.hypot(*np.meshgrid(axis, axis)) > 0.8, smooth.model, 0)
        row, column = np.unravel_index(arcs.argmax(), arcs.shape)
        where = [axis[column], axis[row]]
        image = with_masses(camera, systems, images, i, [where], 0.06)
        (perturbed,) = fitter.fit(image, reference_of(camera))
        smooth_, seen = smooth.explained, perturbed.explained
        assert smooth_ is not None
        assert seen is not None
        assert smooth_.evidence < 5 < seen.evidence
        near = np.hypot(*np.meshgrid(axis - where[0], axis - where[1])) < 0.25
        found.append((seen.kappa[near] / seen.kappa_std[near]).mean())
    # A point mass is an overdensity: the convergence at its place is positive.
    assert min(found) > 0
    assert np.mean(found) > 2


def test_multipoles_that_are_projected_out_are_not_taken_for_substructure(domain, reference_of):
    hard = {"a3_a": 0.015, "a4_a": 0.015}
    camera = domain("euclid_l1", population={"lens": hard})
    _, images = simulated(camera, "no_sub", 10)
    reference = reference_of(camera)
    evidence = {
        multipoles: np.array(
            [
                f.explained.evidence  # type: ignore[union-attr]
                for f in SmoothFitter(camera, fit_spec(multipoles=multipoles)).fit(
                    images, reference
                )
            ]
        )
        for multipoles in ("none", "projected", "fitted")
    }
    assert np.median(evidence["none"]) > 20
    assert np.median(evidence["projected"]) < 3
    assert np.median(evidence["fitted"]) < 3


def test_an_image_in_which_nothing_moves_has_nothing_to_say(fitted):
    memory = fitted.filter.memory
    memory.by_x[:], memory.by_y[:] = 0, 0
    z, evidence, kappa, deviation = fitted.of(fitted.memory.residual)
    assert z == 0
    assert evidence == pytest.approx(0, abs=1e-9)
    np.testing.assert_array_equal(kappa, 0)
    prior = np.sqrt(A * np.square(fitted.convergence).sum(0))
    np.testing.assert_allclose(deviation.ravel(), prior, rtol=1e-4)


def test_without_a_filter_there_are_no_products(bright):
    with pytest.raises(ValueError, match=r"fit.potential = null"):
        SmoothFitter(bright, fit_spec(potential=None)).products(np.zeros(19))
