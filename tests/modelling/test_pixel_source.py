"""The source of splines: its evidence against the dense formula, its descent against truth."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from toy.modelled import (
    MASS,
    RINGS,
    SOURCE,
    arcs_of,
    empty_field,
    lens_field,
    task_of,
    with_image,
)

from lensml.modelling.arcs import Rings
from lensml.modelling.field import Blur
from lensml.modelling.light import fit_light
from lensml.modelling.mass import Rays
from lensml.modelling.pixel_source import PixelSource
from lensml.modelling.sersic import Task, fit_from_rings


@pytest.fixture(scope="module")
def task():
    return task_of(lens_field())


def gaussian(covariance):
    anything: Any = multivariate_normal
    return anything(cov=covariance)


def source_of(task, mass=MASS, m=36, **options):
    options = {"multipoles": False, "expected": task.light.image, "box": 0.5, **options}
    return PixelSource(task, mass, SOURCE, m=m, **options)


def test_the_evidence_is_that_of_the_dense_gaussian():
    field = with_image(empty_field(21), arcs_of(empty_field(21), 0.5 * MASS))
    blur = Blur(field.psf, field.n)
    light = fit_light(field, blur)
    task = Task.of(field, blur, light, np.zeros((0, 21, 21)), Rings(np.array([0.5]), np.ones(1)))
    model = source_of(task, mass=0.5 * MASS, m=8)
    values = []
    for smoothness in (1.0, 30.0):
        model.smoothness = smoothness
        solution = model.solved(model.matrix(model.mass))
        covariance = np.linalg.inv(smoothness * model.roughness)
        nodes = solution.matrix[:, :64].astype(float)
        columns = model.columns.astype(float)
        whole = nodes @ covariance @ nodes.T + (columns / model.precision) @ columns.T
        dense = gaussian(whole + np.eye(len(whole))).logpdf(model.data)
        values.append((model.evidence_of(solution), dense))
    (first, first_dense), (second, second_dense) = values
    assert first - second == pytest.approx(first_dense - second_dense, rel=1e-4)


def test_the_descent_finds_the_lens(task):
    start = MASS + np.array([0.05, -0.1, 0.05, 0.05, 0, 0, 0.02, 0.02, 0, 0, 0, 0])
    model = source_of(task, mass=start).fit(12)
    assert abs(model.mass[0] / MASS[0] - 1) < 0.01
    pulls = (model.mass[:8] - MASS[:8]) / model.errors
    assert np.abs(pulls).max() < 4
    left = (task.field.image - model.lens_light - model.arcs) / task.field.noise
    assert 0.7 < (left[task.used] ** 2).mean() < 1.1  # the source takes some of the noise


def test_a_descent_is_the_same_twice(task):
    first, second = (source_of(task, m=16).fit(4) for _ in range(2))
    np.testing.assert_array_equal(first.mass, second.mass)
    assert first.evidence == second.evidence


def test_the_most_probable_smoothness_has_neighbours_that_are_less_so(task):
    model = source_of(task)
    best = model.tune(model.matrix(model.mass))
    chosen, evidence = model.smoothness, model.evidence_of(best)
    assert chosen is not None
    for factor in (0.1, 10):
        model.smoothness = chosen * factor
        assert model.evidence_of(model.solved(best)) < evidence


def test_a_source_that_no_ray_meets_is_refused(task):
    with pytest.raises(ValueError, match="no ray meets the source"):
        PixelSource(
            task,
            MASS,
            SOURCE + np.array([0, 0, 0, 0, 0, 30, 30]),
            m=12,
            multipoles=False,
            expected=task.light.image,
            box=0.2,
        ).fit(2)


def test_sersic_sources_find_the_radius_from_every_ring(task):
    best = min(fit_from_rings(task, RINGS), key=lambda fit: fit.cost)
    assert abs(best.mass[0] - MASS[0]) < 0.02
    assert best.cost < 1.3


def test_rays_cover_what_the_psf_brings():
    field = empty_field()
    rays = Rays.of(field, 1.0)
    inside = field.radius.ravel()[rays.pixels]
    assert 1.0 < inside.max() < 1.0 + 5 * field.pixel_scale
    np.testing.assert_allclose(
        rays.image(rays.x), np.where(rays.image(1 + 0 * rays.x), field.x, 0)
    )
