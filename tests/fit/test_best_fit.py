"""Best fits against scipy's, their errors, and what they must not depend on."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import least_squares
from toy.fits import fit_spec, simulated

from lensml.fit.best_fit import covariance_of
from lensml.fit.descent_kernel import Rules
from lensml.fit.observed import light_templates
from lensml.fit.parameters import HIGH, LOW, NAMES, parameters_of, systems_of_parameters
from lensml.fit.smooth import SmoothFitter
from lensml.simulate.render import render

N = 60


@pytest.fixture(scope="module")
def fitted(bright, fitter, reference_of):
    """Smooth lenses, what is observed of them, and their fits."""
    systems, images = simulated(bright, "no_sub", N)
    return systems, images, list(fitter.fit(images, reference_of(bright)))


class Reference:
    """The same problem for scipy: residuals of the simulator's own images in float64."""

    def __init__(self, camera, images, i, found, free) -> None:
        self.camera, self.free, self.x = camera, free, found.parameters.copy()
        self.image = images.image[i].ravel().astype(float)
        photons = np.maximum(found.model, 0) + (
            0 if images.subtracted is None else images.subtracted[i]
        )
        variance = images.background_rms[i] ** 2 + photons / images.exposure_time[i]
        self.rms = np.sqrt(variance.ravel())
        self.basis = np.linalg.qr((light_templates(camera) / self.rms).T)[0]

    def residual(self, values):
        x = self.x.copy()
        x[self.free] = values
        model = render(
            systems_of_parameters(x[None]), self.camera, engine="numba", precision="float64"
        )
        left = (self.image - model.ravel()) / self.rms
        return left - self.basis @ (self.basis.T @ left)

    def solve(self, start):
        bounds = (LOW[self.free], HIGH[self.free])
        return least_squares(
            self.residual,
            start[self.free],
            bounds=bounds,
            x_scale="jac",
            diff_step=1e-4,
            ftol=1e-8,
        )


@pytest.mark.parametrize("name", ["euclid", "euclid_l1"])
def test_best_fits_are_scipys(domain, reference_of, name):
    camera = domain(name)
    systems, images = simulated(camera, "no_sub", 3)
    ours = SmoothFitter(camera, fit_spec(potential=None))
    for i, found in enumerate(ours.fit(images, reference_of(camera))):
        problem = Reference(camera, images, i, found, ours.free)
        best = problem.solve(parameters_of({k: v[[i]] for k, v in systems.truth.items()})[0])
        chi2 = np.square(problem.residual(found.parameters[ours.free])).sum()
        assert chi2 - 2 * best.cost < 0.3  # of some 4,000
        off = (found.parameters[ours.free] - best.x) / found.errors[ours.free]
        assert np.abs(off).max() < 0.3


def test_almost_every_smooth_lens_is_fitted_to_its_noise(fitted):
    _, _, fits = fitted
    chi2 = np.array([f.chi2 for f in fits])
    assert (chi2 < 1.1).mean() >= 0.98
    # 4,078 degrees of freedom: the mean of the chi2 of N lenses is 1 within its own error.
    freedom = fits[0].residual.size - 18
    good = chi2[chi2 < 1.1]
    assert good.mean() == pytest.approx(1, abs=4 * np.sqrt(2 / freedom / len(good)))


def test_errors_are_those_that_are_made(fitted):
    systems, _, fits = fitted
    good = np.array([f.chi2 < 1.1 for f in fits])
    off = np.array([f.parameters for f in fits]) - parameters_of(systems.truth)
    pulls = (off / np.array([f.errors for f in fits]))[good][:, :15]
    assert np.isfinite(pulls).all()
    # All parameters of all lenses together; neighbours of a valley are not independent, which the
    # number of lenses bounds.
    assert pulls.std() == pytest.approx(1, abs=0.1)
    assert stats.iqr(pulls) / stats.iqr(stats.norm.rvs(size=10**5, random_state=0)) < 1.15
    assert np.abs(pulls.mean(0)).max() < 4 / np.sqrt(good.sum())


def test_correlations_of_errors_are_those_that_are_made(fitted, fitter):
    """Squares of the deviations by the whole covariance: as many as there are parameters."""
    systems, _, fits = fitted
    x = parameters_of(systems.truth)
    squares = [
        (d := f.parameters[fitter.free] - x[i, fitter.free]) @ np.linalg.solve(f.covariance, d)
        for i, f in enumerate(fits)
        if f.chi2 < 1.1
    ]
    k = len(fitter.free)
    # The posterior is not quite Gaussian; medians do not notice its tails.
    assert np.median(squares) == pytest.approx(stats.chi2(k).median(), rel=0.2)


def test_residual_model_and_image_belong_together(fitted, fitter):
    _, images, fits = fitted
    for i, f in enumerate(fits[:5]):
        photons = np.maximum(f.model, 0) + images.subtracted[i]
        rms = np.sqrt(images.background_rms[i] ** 2 + photons / images.exposure_time[i])
        np.testing.assert_allclose(f.residual, (images.image[i] - f.model) / rms, atol=2e-3)
        freedom = f.residual.size - len(fitter.free) - 3
        assert f.chi2 == pytest.approx(
            np.square(f.residual.astype(float)).sum() / freedom, rel=1e-5
        )


def test_a_fit_does_not_depend_on_the_images_before_it(bright, reference_of):
    _, images = simulated(bright, "cdm", 4)
    spec, reference = fit_spec(), reference_of(bright)
    together = list(SmoothFitter(bright, spec).fit(images, reference))
    for i in (3, 1):
        (alone,) = SmoothFitter(bright, spec).fit(images.row(i), reference)
        for name in ("parameters", "errors", "residual", "model", "statistics"):
            np.testing.assert_array_equal(getattr(alone, name), getattr(together[i], name))
        one, many = alone.explained, together[i].explained
        assert one is not None
        assert many is not None
        np.testing.assert_array_equal(one.kappa_std, many.kappa_std)
        assert one.evidence == many.evidence


def test_multipoles_are_found_where_they_are_fitted(domain, reference_of):
    camera = domain("euclid_l3", population={"source": {"magnitude": 22.0}})
    systems, images = simulated(camera, "no_sub", 12)
    fits = list(
        SmoothFitter(camera, fit_spec(multipoles="fitted")).fit(images, reference_of(camera))
    )
    without = list(SmoothFitter(camera, fit_spec()).fit(images, reference_of(camera)))
    assert np.median([f.chi2 for f in fits]) < 1.03
    gains = [(w.chi2 - f.chi2) * f.residual.size for w, f in zip(without, fits, strict=True)]
    assert np.median(gains) > 20  # of four more parameters
    truth, rows = parameters_of(systems.truth), slice(NAMES.index("a3_cos"), None)
    found, errors = (
        np.array([getattr(f, k)[rows] for f in fits]) for k in ("parameters", "errors")
    )
    pulls = (found - truth[:, rows]) / errors
    assert np.abs(truth[:, rows] / errors).mean() > 2  # there is something to find
    assert np.sqrt(np.median(pulls**2)) / 0.6745 < 1.4


def test_parameters_that_are_not_fitted_have_no_error(domain, reference_of):
    camera = domain("euclid")
    _, images = simulated(camera, "no_sub", 1)
    (found,) = SmoothFitter(camera, fit_spec(potential=None)).fit(images, reference_of(camera))
    fixed = ["gamma", "a3_cos", "a3_sin", "a4_cos", "a4_sin"]
    where = [NAMES.index(name) for name in fixed]
    np.testing.assert_array_equal(found.parameters[where], [2, 0, 0, 0, 0])
    assert np.isnan(found.errors[where]).all()
    assert np.isfinite(np.delete(found.errors, where)).all()
    assert found.explained is None


def rules(free, low, high):
    k = len(free)
    nothing = np.zeros(4, np.int64)
    return Rules(free, low, high, np.ones(k), nothing, np.zeros(4), 1.0)


def test_the_covariance_leaves_out_what_lies_at_a_bound():
    rng = np.random.default_rng(0)
    root = rng.normal(size=(5, 4)) * [1, 1e3, 1e-3, 1]
    matrix = root.T @ root
    given = rules(np.arange(4), np.full(4, -1.0), np.ones(4))
    whole = covariance_of(matrix, np.zeros(4), given)
    np.testing.assert_allclose(whole @ matrix, np.eye(4), atol=1e-6)
    bounded = covariance_of(matrix, np.array([0, 1.0, 0, 0]), given)
    kept = [0, 2, 3]
    expected = np.linalg.inv(matrix[np.ix_(kept, kept)])
    np.testing.assert_allclose(bounded[np.ix_(kept, kept)], expected, rtol=1e-9)
    assert np.isnan(bounded[1]).all()
    assert np.isnan(bounded[:, 1]).all()


def test_equations_that_cannot_be_solved_have_no_covariance():
    given = rules(np.arange(2), np.full(2, -1.0), np.ones(2))
    assert np.isnan(covariance_of(np.zeros((2, 2)), np.zeros(2), given)).all()
