"""Masked autoencoder (He et al. 2021, arXiv:2111.06377) of timm's blocks, one or more channels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from timm.models.vision_transformer import Block
from torch import Tensor, nn

from lensml.schema.anomaly import Mae


@dataclass(frozen=True)
class Masking:
    """Which patches a batch keeps.

    Attributes:
        ids_keep: (N, L_keep) visible patches.
        ids_restore: (N, L) position of every patch in the shuffled order.
        mask: (N, L) 1 where a patch is hidden.
    """

    ids_keep: Tensor
    ids_restore: Tensor
    mask: Tensor

    def expand(self, n: int) -> Masking:
        """The masking of one image for ``n`` images."""
        return Masking(*(t.expand(n, -1) for t in (self.ids_keep, self.ids_restore, self.mask)))

    def rows(self, index: Tensor) -> Masking:
        """The masking of the images at ``index``."""
        return Masking(*(t[index] for t in (self.ids_keep, self.ids_restore, self.mask)))

    def to(self, device: torch.device) -> Masking:
        """The same masking on another device."""
        return Masking(*(t.to(device) for t in (self.ids_keep, self.ids_restore, self.mask)))


def random_masking(
    n: int, num_patches: int, mask_ratio: float, generator: torch.Generator
) -> Masking:
    """Hide a random share of the patches of every image.

    Args:
        n: images.
        num_patches: patches per image, L.
        mask_ratio: share that is hidden; at least one patch is kept and one hidden.
        generator: on the CPU.
    """
    keep = min(max(round(num_patches * (1 - mask_ratio)), 1), num_patches - 1)
    ids_shuffle = torch.rand(n, num_patches, generator=generator).argsort(1)
    ids_restore = ids_shuffle.argsort(1)
    mask = torch.ones(n, num_patches)
    mask[:, :keep] = 0
    return Masking(ids_shuffle[:, :keep], ids_restore, mask.gather(1, ids_restore))


def complementary_masking(
    num_patches: int, mask_ratio: float, generator: torch.Generator
) -> list[Masking]:
    """Masks of one image that hide every patch once between them.

    Args:
        num_patches: patches per image, L.
        mask_ratio: share that is hidden; the nearest share 1 / n with n >= 2 is.
        generator: on the CPU.
    """
    parts = min(max(round(1 / mask_ratio), 2), num_patches)
    shuffled = torch.randperm(num_patches, generator=generator)
    masks = []
    for hidden in shuffled.tensor_split(parts):
        mask = torch.zeros(1, num_patches)
        mask[0, hidden] = 1
        order = mask.argsort(dim=1, stable=True)
        masks.append(Masking(order[:, : num_patches - len(hidden)], order.argsort(1), mask))
    return masks


def sincos_position_embedding(embed_dim: int, grid: int) -> Tensor:
    """Fixed 2-D sine-cosine position embedding, (1, grid^2, embed_dim)."""
    quarter = embed_dim // 4
    omega = 1.0 / 10000 ** (torch.arange(quarter, dtype=torch.float64) / quarter)
    y, x = torch.meshgrid(torch.arange(grid), torch.arange(grid), indexing="ij")
    parts = []
    for coordinate in (y, x):
        angle = coordinate.flatten().to(torch.float64)[:, None] * omega
        parts += [angle.sin(), angle.cos()]
    return torch.cat(parts, 1).float()[None]


class MaskedAutoencoder(nn.Module):
    """The encoder sees visible patches only; mask tokens enter in the decoder.

    ``forward`` is the figure of the paper: patchify, mask, encode, decode, loss on hidden patches.
    """

    pos_embed: Tensor
    decoder_pos_embed: Tensor

    def __init__(self, spec: Mae, img_size: int, in_chans: int = 1) -> None:
        """Build the network.

        Args:
            spec: patches, widths and depths.
            img_size: pixels per axis.
            in_chans: channels of an image.

        Raises:
            ValueError: the patches do not cover the image.
        """
        super().__init__()
        if img_size % spec.patch_size:
            raise ValueError(
                f"image size {img_size} is not a multiple of patch_size {spec.patch_size}"
            )
        self.patch_size, self.in_chans = spec.patch_size, in_chans
        self.grid = img_size // spec.patch_size
        self.num_patches = self.grid**2
        self.norm_pix = spec.loss == "norm_pix"
        pixels = in_chans * spec.patch_size**2
        dim, decoder_dim = spec.embed_dim, spec.decoder_embed_dim

        self.patch_embed = nn.Linear(pixels, dim)
        self.register_buffer("pos_embed", sincos_position_embedding(dim, self.grid))
        self.blocks = _blocks(dim, spec.depth, spec.num_heads, spec.mlp_ratio)
        self.norm = nn.LayerNorm(dim)

        self.decoder_embed = nn.Linear(dim, decoder_dim)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, decoder_dim))
        self.register_buffer(
            "decoder_pos_embed", sincos_position_embedding(decoder_dim, self.grid)
        )
        self.decoder_blocks = _blocks(
            decoder_dim, spec.decoder_depth, spec.decoder_num_heads, spec.mlp_ratio
        )
        self.decoder_norm = nn.LayerNorm(decoder_dim)
        self.decoder_pred = nn.Linear(decoder_dim, pixels)
        self.apply(_initialise)
        nn.init.normal_(self.mask_token, std=0.02)

    def patchify(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, L, P), with P = C patch_size^2 in the order of a convolution."""
        n, c, p, g = len(x), self.in_chans, self.patch_size, self.grid
        x = x.reshape(n, c, g, p, g, p).permute(0, 2, 4, 1, 3, 5)
        return x.reshape(n, g * g, c * p * p)

    def unpatchify(self, patches: Tensor) -> Tensor:
        """(N, L, P) -> (N, C, H, W)."""
        n, c, p, g = len(patches), self.in_chans, self.patch_size, self.grid
        x = patches.reshape(n, g, g, c, p, p).permute(0, 3, 1, 4, 2, 5)
        return x.reshape(n, c, g * p, g * p)

    def forward_encoder(self, patches: Tensor, ids_keep: Tensor) -> Tensor:
        """(N, L, P) -> (N, L_keep, D): hidden patches never enter."""
        tokens = self.patch_embed(_take(patches, ids_keep))
        position = self.pos_embed.expand(len(patches), -1, -1)
        return self.norm(self.blocks(tokens + _take(position, ids_keep)))

    def forward_decoder(self, latent: Tensor, ids_restore: Tensor) -> Tensor:
        """(N, L_keep, D) -> (N, L, P)."""
        x = self.decoder_embed(latent)
        hidden = ids_restore.shape[1] - x.shape[1]
        x = torch.cat([x, self.mask_token.expand(len(x), hidden, -1)], 1)
        x = _take(x, ids_restore) + self.decoder_pos_embed
        return self.decoder_pred(self.decoder_norm(self.decoder_blocks(x)))

    def patch_error(
        self, prediction: Tensor, patches: Tensor, noise: Tensor | None = None
    ) -> Tensor:
        """Mean squared error of every patch, (N, L).

        Args:
            prediction, patches: (N, L, P).
            noise: of the same shape, in units of which errors are taken.
        """
        if self.norm_pix:
            mean, var = patches.mean(-1, keepdim=True), patches.var(-1, keepdim=True)
            patches = (patches - mean) / (var + 1e-6).sqrt()
        error = prediction - patches
        return (error if noise is None else error / noise).square().mean(-1)

    def on_scale(self, prediction: Tensor, patches: Tensor) -> Tensor:
        """A prediction on the scale of the images; normalised patches get their mean and scale.

        Args:
            prediction: (N, L, P).
            patches: of the image, of the same shape.
        """
        if not self.norm_pix:
            return prediction
        mean, var = patches.mean(-1, keepdim=True), patches.var(-1, keepdim=True)
        return prediction * (var + 1e-6).sqrt() + mean

    def forward(
        self, x: Tensor, masking: Masking, noise: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Reconstruct the hidden patches.

        Args:
            x: (N, C, H, W).
            masking: of the same N images.
            noise: (N, C, H, W), in units of which errors are taken; None on the network's scale.

        Returns:
            (N,) mean squared error over the hidden patches, and the prediction,
            (N, L, P).
        """
        patches = self.patchify(x)
        latent = self.forward_encoder(patches, masking.ids_keep)
        prediction = self.forward_decoder(latent, masking.ids_restore)
        error = self.patch_error(
            prediction, patches, None if noise is None else self.patchify(noise)
        )
        return (error * masking.mask).sum(1) / masking.mask.sum(1), prediction


def _blocks(dim: int, depth: int, num_heads: int, mlp_ratio: float) -> nn.Sequential:
    return nn.Sequential(*[Block(dim, num_heads, mlp_ratio, qkv_bias=True) for _ in range(depth)])


def _take(x: Tensor, ids: Tensor) -> Tensor:
    """Rows ``ids`` (N, K) of (N, L, D)."""
    return x.gather(1, ids[:, :, None].expand(-1, -1, x.shape[2]))


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
