"""A target's camera from unlabelled images of both domains, without a fact of it.

A camera multiplies the Fourier transform of the sky by that of PSF and pixel, stretches it by the
pixel's size and scales it by the zero point. If two domains see the same population, the mean
profile of their images and their mean power spectrum differ by that alone: :func:`fit_camera`
finds the camera that makes them agree, with its error. What no camera can do is bring together
populations that differ in sizes, shapes or lenses: such a fit is refused, and says why.

Magnitudes alone cannot be told from a zero point: sources fainter by half a magnitude are, in any
image, sources seen with a zero point lower by as much, down to the noise of their photons. Where
the zero point is known, say so (:class:`Given`), and such populations are refused, too.
"""

from lensml.data.blind_camera.fit import Fit, Given, fit_camera
from lensml.data.blind_camera.spectra import Sample, sample_of

__all__ = ["Fit", "Given", "Sample", "fit_camera", "sample_of"]
