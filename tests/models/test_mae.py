"""The masked autoencoder: patches, masks, what hidden pixels reach."""

from __future__ import annotations

import itertools
import math
from typing import Literal

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from toy.networks import generator, noise, without_gradient

from lensml.models.mae import MaskedAutoencoder, Masking, random_masking, sincos_position_embedding
from lensml.schema.anomaly import Mae

pytestmark = pytest.mark.usefixtures("one_torch_thread")


def autoencoder(
    *,
    img_size: int = 16,
    patch_size: int = 4,
    loss: Literal["pixel", "norm_pix", "chi2"] = "pixel",
    embed_dim: int = 16,
    in_chans: int = 1,
) -> MaskedAutoencoder:
    spec = Mae(
        epochs=1,
        batch_size=2,
        learning_rate=1e-3,
        min_learning_rate=0.0,
        weight_decay=0.0,
        betas=[0.9, 0.95],
        warmup_fraction=0.0,
        clip_grad_norm=1.0,
        patch_size=patch_size,
        mask_ratio=0.5,
        loss=loss,
        embed_dim=embed_dim,
        depth=1,
        num_heads=2,
        mlp_ratio=2.0,
        decoder_embed_dim=8,
        decoder_depth=1,
        decoder_num_heads=2,
    )
    torch.manual_seed(0)
    return MaskedAutoencoder(spec, img_size, in_chans).eval()


# Patches


@settings(max_examples=30)
@given(
    n=st.integers(1, 3), grid=st.integers(1, 4), patch=st.integers(1, 5), bands=st.integers(1, 3)
)
def test_patches_are_the_slices_of_the_image(n, grid, patch, bands):
    model = autoencoder(img_size=grid * patch, patch_size=patch, embed_dim=4, in_chans=bands)
    x = noise(n, bands, grid * patch, grid * patch)
    patches = model.patchify(x)
    assert patches.shape == (n, grid**2, bands * patch**2)
    for i, row, column in itertools.product(range(n), range(grid), range(grid)):
        top, left = row * patch, column * patch
        by_hand = x[i, :, top : top + patch, left : left + patch].flatten()
        assert torch.equal(patches[i, row * grid + column], by_hand)


@settings(max_examples=30)
@given(
    n=st.integers(1, 3), grid=st.integers(1, 4), patch=st.integers(1, 5), bands=st.integers(1, 3)
)
def test_unpatchify_inverts_patchify(n, grid, patch, bands):
    model = autoencoder(img_size=grid * patch, patch_size=patch, embed_dim=4, in_chans=bands)
    x = noise(n, bands, grid * patch, grid * patch)
    assert torch.equal(model.unpatchify(model.patchify(x)), x)


def test_an_image_that_cannot_be_cut_into_patches_is_refused():
    with pytest.raises(ValueError, match="image size 150 is not a multiple of patch_size 8"):
        autoencoder(img_size=150, patch_size=8)


# Masks


@given(
    n=st.integers(1, 4),
    num_patches=st.integers(2, 70),
    mask_ratio=st.floats(0.01, 0.99),
    seed=st.integers(0, 2**31),
)
def test_a_mask_hides_the_asked_share_and_marks_exactly_what_it_hides(
    n, num_patches, mask_ratio, seed
):
    masking = random_masking(n, num_patches, mask_ratio, generator(seed))
    keep = masking.ids_keep.shape[1]
    wanted = num_patches * (1 - mask_ratio)
    assert 1 <= keep <= num_patches - 1
    assert abs(keep - wanted) <= 0.5 + 1e-9 or keep in (1, num_patches - 1)
    assert masking.ids_restore.shape == masking.mask.shape == (n, num_patches)
    for i in range(n):
        visible = set(masking.ids_keep[i].tolist())
        assert len(visible) == keep
        by_hand = [0.0 if patch in visible else 1.0 for patch in range(num_patches)]
        assert masking.mask[i].tolist() == by_hand


@given(n=st.integers(1, 4), num_patches=st.integers(2, 70), seed=st.integers(0, 2**31))
def test_ids_restore_is_the_inverse_of_the_shuffle(n, num_patches, seed):
    masking = random_masking(n, num_patches, 0.5, generator(seed))
    for i in range(n):
        restore = masking.ids_restore[i].tolist()
        assert sorted(restore) == list(range(num_patches))
        for position, patch in enumerate(masking.ids_keep[i].tolist()):
            assert restore[patch] == position


def test_masks_follow_from_the_generator_and_differ_between_images():
    first, second = (random_masking(8, 16, 0.5, generator(3)) for _ in range(2))
    assert torch.equal(first.mask, second.mask)
    assert not torch.equal(first.mask, random_masking(8, 16, 0.5, generator(4)).mask)
    assert len({tuple(row.tolist()) for row in first.mask}) > 1


def test_every_patch_is_hidden_equally_often():
    n, ratio = 4000, 0.25
    frequency = random_masking(n, 16, ratio, generator()).mask.mean(0)
    # Binomial; 16 patches stay within 5 standard errors with probability 1 - 1e-5.
    tolerance = 5 * math.sqrt(ratio * (1 - ratio) / n)
    assert (frequency - ratio).abs().max() < tolerance


def test_one_masking_expands_to_a_batch():
    one = random_masking(1, 9, 0.5, generator())
    many = one.expand(3)
    for name in ("ids_keep", "ids_restore", "mask"):
        assert torch.equal(getattr(many, name), getattr(one, name).repeat(3, 1))


# Masked autoencoder


def pixels_of(model: MaskedAutoencoder, patches: Tensor) -> Tensor:
    """(L,) choice of patches -> (H, W) choice of pixels, cell by cell."""
    p, g = model.patch_size, model.grid
    chosen = torch.zeros(g * p, g * p, dtype=torch.bool)
    for row, column in itertools.product(range(g), range(g)):
        chosen[row * p : row * p + p, column * p : column * p + p] = bool(
            patches[row * g + column]
        )
    return chosen


def test_hidden_pixels_reach_neither_latent_nor_prediction():
    model, x = autoencoder(), noise(3, 1, 16, 16)
    masking = random_masking(3, model.num_patches, 0.5, generator())
    changed = x.clone()
    for i in range(3):
        changed[i, 0, pixels_of(model, masking.mask[i])] = torch.nan
    assert changed.isnan().any()
    assert torch.equal(
        model.forward_encoder(model.patchify(x), masking.ids_keep),
        model.forward_encoder(model.patchify(changed), masking.ids_keep),
    )
    assert torch.equal(model(x, masking)[1], model(changed, masking)[1])


def test_every_visible_patch_changes_latent_and_prediction():
    model, x = autoencoder(), noise(1, 1, 16, 16)
    masking = random_masking(1, model.num_patches, 0.5, generator())
    latent = model.forward_encoder(model.patchify(x), masking.ids_keep)
    prediction = model(x, masking)[1]
    assert len(masking.ids_keep[0]) == 8
    for patch in masking.ids_keep[0].tolist():
        chosen = torch.zeros(model.num_patches)
        chosen[patch] = 1
        changed = x + pixels_of(model, chosen) * noise(1, 1, 16, 16, seed=1)
        changed_latent = model.forward_encoder(model.patchify(changed), masking.ids_keep)
        assert not torch.allclose(latent, changed_latent, rtol=0, atol=1e-4)
        assert not torch.allclose(prediction, model(changed, masking)[1], rtol=0, atol=1e-5)


def test_the_encoder_is_the_transformer_on_the_visible_tokens_with_their_positions():
    model, x = autoencoder(), noise(2, 1, 16, 16)
    masking = random_masking(2, model.num_patches, 0.5, generator())
    patches = model.patchify(x)
    latent = model.forward_encoder(patches, masking.ids_keep)
    for i in range(2):
        tokens = [
            model.patch_embed(patches[i, patch]) + model.pos_embed[0, patch]
            for patch in masking.ids_keep[i].tolist()
        ]
        by_hand = model.norm(model.blocks(torch.stack(tokens)[None]))
        torch.testing.assert_close(latent[i : i + 1], by_hand, rtol=1e-4, atol=1e-5)


def test_the_decoder_sees_mask_tokens_where_patches_are_hidden():
    model = autoencoder()
    masking = random_masking(2, model.num_patches, 0.75, generator())
    latent = noise(2, masking.ids_keep.shape[1], 16)
    prediction = model.forward_decoder(latent, masking.ids_restore)
    for i in range(2):
        visible = masking.ids_keep[i].tolist()
        tokens = []
        for patch in range(model.num_patches):
            token = model.mask_token[0, 0]
            if patch in visible:
                token = model.decoder_embed(latent[i, visible.index(patch)])
            tokens.append(token + model.decoder_pos_embed[0, patch])
        x = model.decoder_norm(model.decoder_blocks(torch.stack(tokens)[None]))
        by_hand = model.decoder_pred(x)
        torch.testing.assert_close(prediction[i : i + 1], by_hand, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["pixel", "norm_pix", "chi2"])
def test_the_loss_is_the_mean_square_over_hidden_patches_alone(kind):
    model, x = autoencoder(loss=kind), noise(3, 1, 16, 16)
    sigma = noise(3, 1, 16, 16, seed=5).abs() + 0.1
    units = model.patchify(sigma) if kind == "chi2" else torch.ones(3, 16, 16)
    masking = random_masking(3, model.num_patches, 0.7, generator())
    loss, prediction = model(x, masking, sigma if kind == "chi2" else None)
    patches = model.patchify(x)
    assert loss.shape == (3,)
    for i in range(3):
        squares = []
        for patch in range(model.num_patches):
            if masking.mask[i, patch] == 0:
                continue
            goal = patches[i, patch].tolist()
            if kind == "norm_pix":
                mean = sum(goal) / len(goal)
                variance = sum((v - mean) ** 2 for v in goal) / (len(goal) - 1)
                goal = [(v - mean) / math.sqrt(variance + 1e-6) for v in goal]
            predicted = prediction[i, patch].tolist()
            rms = units[i, patch].tolist()
            squares += [((p - g) / r) ** 2 for p, g, r in zip(predicted, goal, rms, strict=True)]
        assert loss[i].item() == pytest.approx(sum(squares) / len(squares), rel=1e-5)


def test_normalised_loss_does_not_see_the_brightness_of_a_patch():
    model, x = autoencoder(loss="norm_pix"), noise(1, 1, 16, 16)
    prediction, patches = noise(1, 16, 16, seed=1), model.patchify(x)
    error = model.patch_error(prediction, patches)
    brighter = model.patch_error(prediction, 7 * patches + 3)
    torch.testing.assert_close(error, brighter, rtol=1e-4, atol=1e-5)


# Position embedding


@pytest.mark.parametrize(("embed_dim", "grid"), [(8, 2), (16, 4), (96, 8)])
def test_positions_are_embedded_as_sines_and_cosines_of_row_and_column(embed_dim, grid):
    embedding = sincos_position_embedding(embed_dim, grid)
    assert embedding.shape == (1, grid**2, embed_dim)
    quarter = embed_dim // 4
    for row, column in itertools.product(range(grid), range(grid)):
        by_hand = [
            function(coordinate / 10000 ** (k / quarter))
            for coordinate in (row, column)
            for function in (math.sin, math.cos)
            for k in range(quarter)
        ]
        found = embedding[0, row * grid + column]
        torch.testing.assert_close(found, torch.tensor(by_hand), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("embed_dim", "grid"), [(8, 8), (16, 16), (96, 32)])
def test_no_two_positions_share_an_embedding(embed_dim, grid):
    embedding = sincos_position_embedding(embed_dim, grid)[0]
    distance = torch.cdist(embedding, embedding) + 10 * torch.eye(grid**2)
    assert distance.min() > 1e-2


def test_every_weight_of_the_autoencoder_gets_a_gradient():
    model = autoencoder().train()
    masking = random_masking(4, model.num_patches, 0.5, generator())
    model(noise(4, 1, 16, 16), masking)[0].mean().backward()
    assert without_gradient(model) == []


def test_a_masking_moves_between_devices_whole():
    masking = random_masking(2, 9, 0.5, generator()).to(torch.device("meta"))
    assert isinstance(masking, Masking)
    assert {t.device.type for t in (masking.ids_keep, masking.ids_restore, masking.mask)} == {
        "meta"
    }
