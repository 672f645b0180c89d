"""Strong augmentation: what two cameras may differ in, on images as a network sees them."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from lensml.schema.adaptation import Distortion
from lensml.schema.encoders import NetworkInput

BLUR_REACH = 3  # of the kernel, in sigmas of the widest blur


def distort(
    x: Tensor, spec: Distortion, network_input: NetworkInput, generator: torch.Generator
) -> Tensor:
    """Every image with a gain, a blur, a zoom and white noise of its own.

    Flux is changed where it is linear, in units of the background, and stretched again.

    Args:
        x: (N, C, H, W) on the network's scale. Of channels beside the image sizes alone change.
        spec: sizes of the changes.
        network_input: channels and stretch of ``x``, asinh or linear.
        generator: on the CPU.

    Raises:
        ValueError: the stretch has no inverse.
    """
    if network_input.stretch == "per_image_max":
        raise ValueError("images are distorted for the stretches asinh and linear only")
    uniform = torch.rand((4, len(x), 1, 1, 1), generator=generator).to(x.device)
    zoom = 1 + spec.zoom * (2 * uniform[1] - 1)
    parts = [
        _distorted(part, uniform, zoom, spec, network_input, generator)
        if channel == "image"
        else (_zoomed(part, zoom) if spec.zoom else part)
        for channel, part in zip(network_input.channels, x.split(1, dim=1), strict=True)
    ]
    return torch.cat(parts, 1)


def _distorted(
    x: Tensor,
    uniform: Tensor,
    zoom: Tensor,
    spec: Distortion,
    network_input: NetworkInput,
    generator: torch.Generator,
) -> Tensor:
    """The image (N, 1, H, W) itself, whose fluxes change too."""
    asinh = network_input.stretch == "asinh"
    flux = x * network_input.scale
    flux = (flux.sinh() if asinh else flux) * network_input.noise_units
    flux = flux * (spec.gain * (2 * uniform[0] - 1)).exp()
    flux = _zoomed(flux, zoom) if spec.zoom else flux
    flux = _blurred(flux, spec.blur * uniform[2], spec.blur) if spec.blur else flux
    if spec.noise:
        white = torch.randn(x.shape, generator=generator).to(x.device)
        flux = flux + spec.noise * uniform[3] * white
    flux = flux / network_input.noise_units
    return (flux.asinh() if asinh else flux) / network_input.scale


def _zoomed(x: Tensor, factor: Tensor) -> Tensor:
    """Images (N, 1, H, W) magnified about their centre by (N, 1, 1, 1) factors."""
    matrix = torch.zeros((len(x), 2, 3), dtype=x.dtype, device=x.device)
    matrix[:, 0, 0] = matrix[:, 1, 1] = 1 / factor[:, 0, 0, 0]
    grid = functional.affine_grid(matrix, list(x.shape), align_corners=False)
    return functional.grid_sample(x, grid, padding_mode="reflection", align_corners=False)


def _blurred(x: Tensor, sigma: Tensor, widest: float) -> Tensor:
    """Images (N, 1, H, W) convolved with Gaussians of (N, 1, 1, 1) sigmas, pixels."""
    reach = min(max(round(BLUR_REACH * widest), 1), x.shape[-1] - 1)
    offset = torch.arange(-reach, reach + 1, dtype=x.dtype, device=x.device)
    kernel = (-0.5 * (offset / sigma.clamp_min(1e-3)) ** 2).exp()  # (N, 1, 1, 2 reach + 1)
    kernel = kernel / kernel.sum(-1, keepdim=True)
    rows = x.transpose(0, 1)  # an image per channel: each has a kernel of its own
    for axis in (kernel, kernel.transpose(2, 3)):
        margin = [reach * (size > 1) for size in (axis.shape[3], axis.shape[2])]
        padded = functional.pad(rows, (margin[0], margin[0], margin[1], margin[1]), mode="reflect")
        rows = functional.conv2d(padded, axis, groups=len(x))
    return rows.transpose(0, 1)
