"""What reads a stored system back: its domain, its truth as the renderer takes it, its images."""

from __future__ import annotations

import numpy as np

from lensml.data.store import Store
from lensml.schema.simulation import Domain
from lensml.simulate.noise import noise_variance
from lensml.simulate.render import render, with_lens_light
from lensml.simulate.systems import Systems

SUBSTRUCTURE_COLUMNS = (
    *("f_sub", "kappa_sheet", "r_sheet", "n_perturbers", "m_sub_total", "log10_axion_mass"),
)


def domain_of(store: Store) -> Domain:
    """The domain that a store was simulated in.

    Raises:
        ValueError: the store is a pool of several, or was not simulated.
    """
    if "config" not in store.attributes:
        raise ValueError(f"{store.path}: does not say in which domain it was simulated")
    return Domain.model_validate(store.attributes["config"]["domain"])


def lens_columns(store: Store) -> list[str]:
    """Truth of lens, source and exposure that classes should share.

    Where the lens gives up the mass of the substructure that was drawn, ``theta_E`` is lower on
    purpose and left out; ``theta_E_total`` is what classes share.
    """
    hidden = {*SUBSTRUCTURE_COLUMNS, "system_id"}
    if domain_of(store).population.lens.mass_compensation == "enclosed":
        hidden.add("theta_E")
    return [name for name in store.truth if name not in hidden]


def systems_of(store: Store, start: int, stop: int) -> Systems:
    """Truth of the images ``start`` to ``stop - 1`` as the renderer takes it."""
    offset = store.perturber_offset[start : stop + 1]
    return Systems(
        profile=store.attributes["perturber_profile"],
        truth={name: column[start:stop] for name, column in store.truth.items()},
        offset=offset - offset[0],
        perturbers=store.perturbers.rows(int(offset[0]), int(offset[-1])),
    )


def arcs_again(store: Store, start: int, stop: int) -> np.ndarray:
    """The lensed sources of the images ``start`` to ``stop - 1``, without noise and lens light.

    Without refinement: to see where there is light, every ray once is enough.

    Returns:
        (stop - start, H, W) float32 e-/s per pixel.
    """
    domain = domain_of(store).model_copy(update={"refinement_factor": 1})
    systems = systems_of(store, start, stop)
    return render(systems, domain, engine="numba", precision="float32")


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
