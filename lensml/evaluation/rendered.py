"""Images of a store rendered again from their truth, without noise."""

from __future__ import annotations

import numpy as np

from lensml.data.store import Store
from lensml.evaluation.audit_data import domain_of, systems_of
from lensml.simulate.noise import noise_variance
from lensml.simulate.render import render, with_lens_light


def rendered_again(store: Store, n: int) -> tuple[np.ndarray, np.ndarray]:
    """The first images without noise, and the variance of the noise that they have.

    Args:
        store: of any class.
        n: number of images.

    Returns:
        (n, H, W) e-/s per pixel and (n, H, W) (e-/s per pixel)^2.
    """
    domain, setting = domain_of(store), store.attributes["config"]
    if setting["engine"] == "lenstronomy":  # which knows no refinement
        domain = domain.model_copy(update={"refinement_factor": 1})
    systems = systems_of(store, 0, n)
    # The same precision as the store's; lenstronomy's images are those of the double kernel.
    precision = setting["precision"] if setting["engine"] == "numba" else "float64"
    clean = render(systems, domain, engine="numba", precision=precision)
    clean, subtracted = with_lens_light(clean, systems, domain, precision=precision)
    columns = ("background_rms", "exposure_time")
    variance = noise_variance(
        clean if subtracted is None else clean + subtracted,
        **{name: systems.truth[name][:, None, None] for name in columns},
    )
    return clean, variance
