"""Sections of a configuration that are right by themselves and do not fit each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lensml.schema.adaptation import DISTORTING
from lensml.schema.amounts import excesses
from lensml.schema.anomaly import HIDDEN_FLUX
from lensml.schema.asked_encoders import Refusal, halvings, of_every_run, unfit
from lensml.schema.attribution import unmapped
from lensml.schema.errors import Origins
from lensml.schema.files import files_problems
from lensml.schema.fit import unfittable
from lensml.schema.harmonise import harmonise_problems
from lensml.schema.misspecification import misspecification_problems
from lensml.schema.regression import constant_targets
from lensml.schema.sweep import sweep_problems

Sizes = Mapping[str, int]  # domain -> pixels per axis that a network sees


def misfits(config: Any, origins: Origins, refusal: Refusal | None = None) -> list[str]:
    """What does not fit, one line each.

    Args:
        config: every section of the configuration, domains resolved.
        origins: files of the configuration.
        refusal: tries to build a model of timm; without it these are taken to be right.
    """
    crops = _crops(config, origins)
    if crops:
        return crops + _channels(config, origins)  # of a wrong size all else would be wrong
    sizes = {n: config.network_input.img_size(d.num_pix) for n, d in config.resolved.items()}
    return [
        *_channels(config, origins),
        *excesses(config, origins),
        *unfit(of_every_run(config), origins, refusal),
        *_patches_of_the_autoencoder(config, origins, sizes),
        *_widths(config, origins, sizes),
        *_constant_targets(config, origins),
        *_unfitted(config, origins),
        *_untimed_fits(config, origins),
        *_unmapped(config, origins),
        *_hidden_fluxes(config, origins),
        *_pairs_of_two_sizes(config, origins, sizes),
        *_hidden_squares(config, origins, sizes),
        *harmonise_problems(config, origins),
        *sweep_problems(config, origins),
        *misspecification_problems(config, origins),
        *files_problems(config, origins),
    ]


def _crops(config: Any, origins: Origins) -> list[str]:
    crop = config.network_input.center_crop
    if crop is None:
        return []
    pixels = {name: config.resolved[name].num_pix for name in config.domains}
    return [
        origins.line(
            "network_input.center_crop",
            f"must leave equal margins in the {n} pixels of '{name}'",
            value=crop,
        )
        for name, n in pixels.items()
        if crop > n or (n - crop) % 2
    ]


def _channels(config: Any, origins: Origins) -> list[str]:
    channels = config.network_input.channels
    if "kappa" not in channels or config.fit.potential is not None:
        return []
    problem = "kappa needs fit.potential, which is null; leave kappa out or give the potential"
    return [origins.line("network_input.channels", problem, value=channels)]


def _patches_of_the_autoencoder(config: Any, origins: Origins, sizes: Sizes) -> list[str]:
    key, size = "anomaly.mae.patch_size", config.anomaly.mae.patch_size
    return [
        origins.line(key, f"must divide the {sizes[name]} pixels of '{name}'", value=size)
        for name in config.anomaly.domains
        if sizes[name] % size
    ]


def _hidden_squares(config: Any, origins: Origins, sizes: Sizes) -> list[str]:
    """Of squares as large as the image none could be left."""
    key, size = "adaptation.masked_reconstruction.patch_size", None
    if "masked_reconstruction" in config.adaptation.methods:
        size = config.adaptation.masked_reconstruction.patch_size
    targets = dict.fromkeys(pair.target for pair in config.adaptation.pairs)
    return [
        origins.line(key, f"must be below the {sizes[name]} pixels of '{name}'", value=size)
        for name in targets
        if size is not None and size >= sizes[name]
    ]


def _widths(config: Any, origins: Origins, sizes: Sizes) -> list[str]:
    widths = config.anomaly.autoencoders.widths
    if not config.anomaly.autoencoders.methods:
        return []
    return [
        origins.line(
            "anomaly.autoencoders.widths",
            f"each halves the image, and the {sizes[name]} pixels of '{name}' "
            + halvings(sizes[name]),
            value=widths,
        )
        for name in config.anomaly.domains
        if sizes[name] < 2 ** len(widths)
    ]


def _constant_targets(config: Any, origins: Origins) -> list[str]:
    return [
        origins.line(
            "regression.domains",
            f"its population has one {target} for all images; give it a distribution or leave "
            "the domain out",
            value=name,
        )
        for name in config.regression.domains
        for target in constant_targets(config.resolved[name].population, config.substructures)
    ]


def _unfitted(config: Any, origins: Origins) -> list[str]:
    """Sources that are observed galaxies, where a Sersic profile would be fitted to them."""
    asked = {
        "anomaly.smooth_fit": (config.anomaly.smooth_fit, config.anomaly.domains, "false"),
        "network_input.channels": (
            config.network_input.fitted and config.network_input.channels,
            config.domains,
            "image alone",
        ),
    }
    return [
        origins.line(
            key,
            f"the sources of '{name}' are observed galaxies, which no Sersic profile fits; "
            f"allowed is {allowed}, or to leave the domain out",
            value=value,
        )
        for key, (value, domains, allowed) in asked.items()
        for name in domains
        if value and config.resolved[name].population.source.galaxies is not None
    ]


def _untimed_fits(config: Any, origins: Origins) -> list[str]:
    """Domains whose fits cannot be compared with lenstronomy's."""
    lines = []
    for name, domain in config.timed_in_fits.items():
        problem = unfittable(domain)
        if domain.instrument.psf_wings is not None:
            problem = "its PSF is a sum of Gaussians, which lenstronomy's fits do not have"
        if problem:
            lines.append(origins.line("benchmark.fits.domains", problem, value=name))
    return lines


def _unmapped(config: Any, origins: Origins) -> list[str]:
    encoders = {name: config.encoders[name] for name in config.attributed("encoders")}
    problem = unmapped(config.attribution, encoders)
    methods = config.attribution.methods
    return [origins.line("attribution.methods", problem, value=methods)] if problem else []


def _hidden_fluxes(config: Any, origins: Origins) -> list[str]:
    """What needs fluxes, where the stretch hides them."""
    if config.network_input.stretch != "per_image_max":
        return []
    lines = [
        origins.line(
            "adaptation.methods",
            "distorts fluxes, which network_input.stretch = 'per_image_max' hides; allowed are "
            "asinh and linear",
            value=method,
        )
        for method in config.adaptation.methods
        if config.adaptation.pairs and method in DISTORTING
    ]
    if config.anomaly.domains:
        stretch = config.network_input.stretch
        lines.append(origins.line("network_input.stretch", HIDDEN_FLUX, value=stretch))
    return lines


def _pairs_of_two_sizes(config: Any, origins: Origins, sizes: Sizes) -> list[str]:
    return [
        origins.line(
            f"adaptation.pairs[{k}]",
            f"images of '{pair.source}' have {sizes[pair.source]} pixels and those of "
            f"'{pair.target}' {sizes[pair.target]}; an encoder takes one size",
        )
        for k, pair in enumerate(config.adaptation.pairs)
        if sizes[pair.source] != sizes[pair.target]
    ]
