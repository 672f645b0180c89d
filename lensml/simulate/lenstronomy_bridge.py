"""Any simulated system as lenstronomy's own models, and images rendered there."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lensml.data.store import open_store
from lensml.physics.ellipticity import phi_q
from lensml.physics.profiles import (
    disc_sheet_deflection,
    disc_sheet_hessian,
    disc_sheet_potential,
    line_mass_deflection,
    line_mass_hessian,
    line_mass_potential,
)
from lensml.schema.simulation import Domain
from lensml.simulate.axes import pixel_axis, ray_axis
from lensml.simulate.galaxy_sources import load_galaxies
from lensml.simulate.systems import Systems


class LenstronomyModel(NamedTuple):
    """What lenstronomy's ``LensModel``, ``LightModel`` and ``ImageModel`` take.

    Attributes:
        kwargs_model: ``lens_model_list``, ``source_light_model_list``, ``lens_light_model_list``,
            ``z_lens``, ``z_source``.
        kwargs_lens: one dict per lens model.
        kwargs_source: one dict per source light model, amplitudes in e-/s/arcsec^2.
        kwargs_lens_light: one dict per lens light model.
    """

    kwargs_model: dict[str, Any]
    kwargs_lens: list[dict[str, Any]]
    kwargs_source: list[dict[str, Any]]
    kwargs_lens_light: list[dict[str, Any]]


def to_lenstronomy(store: str | Path, index: int) -> LenstronomyModel:
    """Hand a stored system to lenstronomy.

    Point masses become ``POINT_MASS``. A cored line becomes ``INTERPOL`` of its closed form with
    the rays of the domain as nodes, so that it is exact where images are evaluated.

    Args:
        store: path of a ``{split}.zarr`` dataset.
        index: of the image.

    Raises:
        IndexError: the store has no such image.
        ValueError: the store is damaged or of another layout.
    """
    opened = open_store(store)
    if "perturber_profile" not in opened.attributes:
        raise ValueError(f"{store}: holds images without truth, which lenstronomy cannot rebuild")
    if not 0 <= index < len(opened):
        raise IndexError(f"{store}: holds images 0 to {len(opened) - 1}, asked for {index}")
    domain = Domain.model_validate(opened.attributes["config"]["domain"])
    offset = opened.perturber_offset[index : index + 2]
    systems = Systems(
        profile=opened.attributes["perturber_profile"],
        truth={name: column[index : index + 1] for name, column in opened.truth.items()},
        offset=offset - offset[0],
        perturbers=opened.perturbers.rows(int(offset[0]), int(offset[1])),
    )
    return lenstronomy_model(systems, 0, domain)


def lenstronomy_model(systems: Systems, i: int, domain: Domain) -> LenstronomyModel:
    """System ``i`` in lenstronomy's terms."""
    t = {name: float(column[i]) for name, column in systems.truth.items()}
    macro, kwargs_macro = _macro_model(t)
    lens_models = [macro, "SHEAR"]
    kwargs_lens: list[dict[str, Any]] = [
        kwargs_macro,
        {"gamma1": t["gamma1"], "gamma2": t["gamma2"], "ra_0": 0.0, "dec_0": 0.0},
    ]
    if t["kappa_sheet"] != 0:
        lens_models.append("INTERPOL")
        kwargs_lens.append(_interpolated_sheet(t, ray_axis(domain)))
    for row in range(systems.offset[i], systems.offset[i + 1]):
        p = {name: float(column[row]) for name, column in systems.perturbers.items()}
        if systems.profile == "POINT_MASS":
            lens_models.append("POINT_MASS")
            kwargs_lens.append({name: p[name] for name in ("theta_E", "center_x", "center_y")})
        elif systems.profile == "TNFW":
            lens_models.append("TNFW")
            names = ("Rs", "alpha_Rs", "r_trunc", "center_x", "center_y")
            kwargs_lens.append({name: p[name] for name in names})
        else:
            lens_models.append("INTERPOL")
            kwargs_lens.append(_interpolated_line(p, ray_axis(domain)))
    source_model, source = _source_model(t, domain)
    kwargs_model = {
        "lens_model_list": lens_models,
        "source_light_model_list": [source_model],
        "lens_light_model_list": ["SERSIC_ELLIPSE"] if t["lens_light_amp"] else [],
        "z_lens": t["z_lens"],
        "z_source": t["z_source"],
    }
    return LenstronomyModel(kwargs_model, kwargs_lens, [source], _lens_light(t))


def _macro_model(t: dict[str, float]) -> tuple[str, dict[str, float]]:
    """The simplest of lenstronomy's profiles that holds the macro model."""
    names = ["theta_E", "e1", "e2", "center_x", "center_y"]
    if t["a3_a"] or t["a4_a"]:
        names += ["gamma", "a3_a", "delta_phi_m3", "a4_a", "delta_phi_m4"]
        return "EPL_MULTIPOLE_M3M4", {name: t[name] for name in names}
    if t["gamma"] != 2:
        return "EPL", {name: t[name] for name in [*names, "gamma"]}
    return "SIE", {name: t[name] for name in names}


def _source_model(t: dict[str, float], domain: Domain) -> tuple[str, dict[str, Any]]:
    name = domain.population.source.galaxies
    if name is None:
        names = ("amp", "R_sersic", "n_sersic", "e1", "e2", "center_x", "center_y")
        return "SERSIC_ELLIPSE", {n: t[f"source_{n}"] for n in names}
    common = {n: t[f"source_{n}"] for n in ("amp", "scale", "center_x", "center_y")}
    image = load_galaxies(name).image[int(t["source_galaxy"])]
    phi = phi_q(t["source_e1"], t["source_e2"])[0]
    return "INTERPOL", {**common, "image": image, "phi_G": phi}


def _lens_light(t: dict[str, float]) -> list[dict[str, float]]:
    if not t["lens_light_amp"]:
        return []
    names = ("amp", "R_sersic", "n_sersic", "e1", "e2")
    light = {name: t[f"lens_light_{name}"] for name in names}
    return [{**light, "center_x": t["center_x"], "center_y": t["center_y"]}]


def _interpolated_sheet(t: dict[str, float], axis: np.ndarray) -> dict[str, np.ndarray]:
    x, y = np.meshgrid(axis, axis)
    disc = {"kappa": t["kappa_sheet"], "radius": t["r_sheet"]}
    f_x, f_y = disc_sheet_deflection(x, y, **disc)
    f_xx, f_xy, f_yy = disc_sheet_hessian(x, y, **disc)
    return {
        "grid_interp_x": axis,
        "grid_interp_y": axis,
        "f_": disc_sheet_potential(x, y, **disc),
        "f_x": f_x,
        "f_y": f_y,
        "f_xx": f_xx,
        "f_yy": f_yy,
        "f_xy": f_xy,
    }


def _interpolated_line(perturber: dict[str, float], axis: np.ndarray) -> dict[str, np.ndarray]:
    names = ("theta_E", "length", "core", "angle", "center_x", "center_y")
    line = {name: perturber[name] for name in names}
    x, y = np.meshgrid(axis, axis)
    f_x, f_y = line_mass_deflection(x, y, **line)
    f_xx, f_xy, f_yy = line_mass_hessian(x, y, **line)
    fields = {
        "f_": line_mass_potential(x, y, **line),
        "f_x": f_x,
        "f_y": f_y,
        "f_xx": f_xx,
        "f_yy": f_yy,
        "f_xy": f_xy,
    }
    sign = np.sign(perturber["mass"])
    grid = {"grid_interp_x": axis, "grid_interp_y": axis}
    return {**grid, **{name: sign * field for name, field in fields.items()}}


def image_model(model: LenstronomyModel, domain: Domain) -> Any:
    """Lenstronomy's ``ImageModel`` of a system as the domain's camera sees it, free of noise.

    Of a PSF with wings, two of them with the method ``image`` of one: lenstronomy has no sum of
    Gaussians as PSF.
    """
    models = [
        (share, _image_model(model, domain, fwhm))
        for share, fwhm in domain.instrument.psf_components
    ]
    return models[0][1] if len(models) == 1 else ImageSum(models)


class ImageSum:
    """Weighted sum of the images of several ``ImageModel``."""

    def __init__(self, models: list[tuple[float, Any]]) -> None:
        self._models = models

    def image(self, kwargs_lens: list[dict], kwargs_source: list[dict]) -> np.ndarray:
        """(num_pix, num_pix) e-/s per pixel."""
        images = [share * model.image(kwargs_lens, kwargs_source) for share, model in self._models]
        return np.sum(images, axis=0)


def _image_model(model: LenstronomyModel, domain: Domain, psf_fwhm: float) -> Any:
    from lenstronomy.Data.imaging_data import ImageData
    from lenstronomy.Data.psf import PSF
    from lenstronomy.ImSim.image_model import ImageModel
    from lenstronomy.LensModel.lens_model import LensModel
    from lenstronomy.LightModel.light_model import LightModel

    scale = domain.instrument.pixel_scale
    corner = pixel_axis(domain.num_pix, scale)[0]
    data = ImageData(
        image_data=np.zeros((domain.num_pix, domain.num_pix)),
        ra_at_xy_0=corner,
        dec_at_xy_0=corner,
        transform_pix2angle=np.array([[scale, 0.0], [0.0, scale]]),
    )
    gaussian: dict[str, Any] = {
        "fwhm": psf_fwhm,
        "pixel_size": scale,
        "truncation": domain.instrument.psf_truncation,
    }
    psf = PSF(psf_type="GAUSSIAN", **gaussian)
    names = model.kwargs_model["lens_model_list"]
    # INTERPOL takes the rays one by one unless it is told that they are a grid.
    options = [{"grid": True} if name == "INTERPOL" else {} for name in names]
    return ImageModel(
        data,
        psf,
        lens_model_class=LensModel(names, profile_kwargs_list=options),
        source_model_class=LightModel(model.kwargs_model["source_light_model_list"]),
        kwargs_numerics={
            "supersampling_factor": domain.supersampling_factor,
            "supersampling_convolution": True,
        },
    )


def render_with_lenstronomy(systems: Systems, domain: Domain) -> np.ndarray:
    """Noise-free images by lenstronomy, the accuracy reference.

    Returns:
        (N, num_pix, num_pix) float64, e-/s per pixel.
    """
    images = np.empty((len(systems), domain.num_pix, domain.num_pix))
    for i in range(len(systems)):
        model = lenstronomy_model(systems, i, domain)
        images[i] = image_model(model, domain).image(model.kwargs_lens, model.kwargs_source)
    return images


class ReusedModels:
    """Lenstronomy's instances for a batch of systems, reused where only keyword arguments change.

    One ``ImageModel`` serves all systems with the same list of profiles, which is the same number
    of perturbers. ``INTERPOL`` keeps the first grid that it is given, so every line has its own.
    """

    def __init__(self, systems: Systems, domain: Domain) -> None:
        self._jobs = []
        instances: dict[tuple, Any] = {}
        names: dict[str, None] = {}
        for i in range(len(systems)):
            model = lenstronomy_model(systems, i, domain)
            profiles = tuple(model.kwargs_model["lens_model_list"])
            has_line = systems.profile == "LINE_MASS" and "INTERPOL" in profiles
            sheet = (systems.truth["kappa_sheet"][i], systems.truth["r_sheet"][i])
            key = (profiles, *sheet, i if has_line else -1)
            if key not in instances:
                instances[key] = image_model(model, domain)
            self._jobs.append((instances[key], model.kwargs_lens, model.kwargs_source))
            names.update(dict.fromkeys(profiles))
        closed = "INTERPOL of the closed form"
        self.description = " + ".join(closed if n == "INTERPOL" else n for n in names)

    def render(self) -> np.ndarray:
        """Noise-free images, (N, num_pix, num_pix) float64, e-/s per pixel."""
        return np.stack([instance.image(*kwargs) for instance, *kwargs in self._jobs])
