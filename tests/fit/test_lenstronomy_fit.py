"""Best fits against those of lenstronomy's own fitting sequence."""

from __future__ import annotations

import numpy as np
import pytest
from lenstronomy.Workflow.fitting_sequence import FittingSequence
from toy.fits import fit_spec, simulated

from lensml.fit.parameters import NAMES, systems_of_parameters
from lensml.fit.smooth import SmoothFitter
from lensml.simulate.axes import pixel_axis

pytestmark = pytest.mark.slow
LENS = ("theta_E", "e1", "e2", "center_x", "center_y")
SHEAR = ("gamma1", "gamma2")
SOURCE = ("R_sersic", "n_sersic", "e1", "e2", "center_x", "center_y")
SPREAD = {"theta_E": 0.01, "R_sersic": 0.02, "n_sersic": 0.1}  # of the start; 0.01 of others
FIXED = {"ra_0": 0.0, "dec_0": 0.0}


def parts_of(x):
    """A vector of parameters as lenstronomy's keyword arguments, amplitude left out."""
    truth = {k: float(v[0]) for k, v in systems_of_parameters(x[None]).truth.items()}
    lens = [{k: truth[k] for k in LENS}, {k: truth[k] for k in SHEAR}]
    return lens, [{k: truth[f"source_{k}"] for k in SOURCE}]


class Sequence:
    """One image as lenstronomy fits it; amplitudes are solved for."""

    def __init__(self, camera, image, rms, time, start) -> None:
        scale = camera.instrument.pixel_scale
        corner = pixel_axis(camera.num_pix, scale)[0]
        data = {
            "image_data": image.astype(float),
            "background_rms": float(rms),
            "exposure_time": float(time),
            "ra_at_xy_0": corner,
            "dec_at_xy_0": corner,
            "transform_pix2angle": np.eye(2) * scale,
        }
        psf = {
            "psf_type": "GAUSSIAN",
            "fwhm": camera.instrument.psf_fwhm,
            "pixel_size": scale,
            "truncation": camera.instrument.psf_truncation,
        }
        numerics = {
            "supersampling_factor": camera.supersampling_factor,
            "supersampling_convolution": True,
        }
        lens, source = start
        self.sequence = FittingSequence(
            {"multi_band_list": [[data, psf, numerics]], "multi_band_type": "multi-linear"},
            {"lens_model_list": ["SIE", "SHEAR"], "source_light_model_list": ["SERSIC_ELLIPSE"]},
            {},
            {},
            {
                "lens_model": self.around(lens, [{}, FIXED]),
                "source_model": self.around(source, [{}]),
            },
            verbose=False,
        )

    @staticmethod
    def around(start, fixed):
        spread = [{k: SPREAD.get(k, 0.01) for k in part} for part in start]
        low, high = (
            [{k: v + sign * 20 * SPREAD.get(k, 0.01) for k, v in part.items()} for part in start]
            for sign in (-1, 1)
        )
        for part in low:
            part.update({k: max(part[k], 0.05) for k in ("R_sersic", "n_sersic") if k in part})
        return [start, spread, fixed, low, high]

    def log_likelihood(self, lens, source) -> float:
        likelihood = self.sequence.likelihoodModule
        shear = {**lens[1], **FIXED}
        arguments = {"kwargs_lens": [lens[0], shear], "kwargs_source": source}
        return float(likelihood.logL(self.sequence.param_class.kwargs2args(**arguments)))


@pytest.mark.filterwarnings("ignore:Maximum number of iterations:RuntimeWarning")  # simplex
@pytest.mark.parametrize("i", [0, 1])
def test_lenstronomys_fit_is_no_better_and_ends_at_the_same_lens(domain, reference_of, i):
    camera = domain("euclid", num_pix=48, supersampling_factor=2, refinement_factor=1)
    _, images = simulated(camera, "no_sub", 2)
    (found,) = SmoothFitter(camera, fit_spec(potential=None)).fit(
        images.row(i), reference_of(camera)
    )
    lens, source = parts_of(found.parameters)
    # From beside our best fit, so that it has somewhere to go.
    rng = np.random.default_rng(i)
    beside = [
        [{k: v + rng.normal(0, 0.5 * SPREAD.get(k, 0.01)) for k, v in p.items()} for p in part]
        for part in (lens, source)
    ]
    sequence = Sequence(
        camera, images.image[i], images.background_rms[i], images.exposure_time[i], beside
    )
    ours = sequence.log_likelihood(lens, source)
    assert sequence.log_likelihood(*beside) < ours - 10
    settings = {"n_particles": 40, "n_iterations": 80, "sigma_scale": 1.0, "threadCount": 1}
    np.random.seed(i)  # noqa: NPY002  lenstronomy draws from numpy's global generator
    sequence.sequence.fit_sequence([["PSO", settings], ["SIMPLEX", {"n_iterations": 1500}]])
    best = sequence.sequence.best_fit()
    their_lens, their_source = best["kwargs_lens"] or [], best["kwargs_source"] or []
    theirs = sequence.log_likelihood(
        [
            {k: their_lens[0][k] for k in LENS},
            {k: their_lens[1][k] for k in SHEAR},
        ],
        [{k: their_source[0][k] for k in SOURCE}],
    )
    # Its noise is that of the image, ours that of the model: minima a fraction of an error apart.
    assert theirs < ours + 0.5
    names = {**dict.fromkeys(LENS, ""), **dict.fromkeys(SHEAR, "")}
    for name in names:
        k = NAMES.index(name)
        value = their_lens[1 if name in SHEAR else 0][name]
        assert abs(value - found.parameters[k]) < 2.5 * found.errors[k], name
