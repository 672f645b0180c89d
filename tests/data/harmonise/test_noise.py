"""Noise of both sides is the same in the end, and as large as was promised."""

from __future__ import annotations

import numpy as np
import pytest
from toy.cameras import SHARP, camera, noisy, seen

from lensml.data.harmonise import (
    Camera,
    NoiseFacts,
    camera_of,
    common_camera,
    noise_facts,
    operator_of,
)
from lensml.data.harmonise.noise import equalised, normal_numbers

PIX, N = 24, 3000
WIDE = camera(0.101, 0.16, num_pix=PIX)
SIDES = {  # camera, background's rms (e-/s), exposure (s): one has the background, one the photons
    "source": (WIDE, 0.02, 4000.0),
    "target": (camera(0.08, 0.1, zero_point=26.0, num_pix=PIX), 0.005, 200.0),
}


def facts() -> tuple[dict[str, NoiseFacts], NoiseFacts]:
    own = {}
    for side, (known, rms, time) in SIDES.items():
        common = common_camera(SIDES["source"][0], SIDES["target"][0])
        own[side] = noise_facts(operator_of(known, common), np.array([rms]), np.array([time]))
    return own, NoiseFacts.larger(*own.values())


def harmonised(side: str, flux: float) -> np.ndarray:
    """Images of a flat sky of ``flux`` e-/s per pixel of the side's camera."""
    known, rms, time = SIDES[side]
    rng = np.random.default_rng([7, len(side)])
    clean = np.full((N, PIX, PIX), flux)
    x = clean + np.sqrt(rms**2 + clean / time) * rng.normal(size=clean.shape)
    common = common_camera(SIDES["source"][0], SIDES["target"][0])
    return equalised(
        x,
        operator_of(known, common),
        facts()[1],
        background_rms=np.full(N, rms),
        exposure_time=np.full(N, time),
        normal=normal_numbers(0, side=side, split="train", start=0, stop=N, num_pix=PIX),
    )


def test_each_side_has_what_the_other_lacks():
    own, both = facts()
    assert own["source"].background > own["target"].background
    assert own["target"].photon > own["source"].photon
    assert both == NoiseFacts(own["source"].background, own["target"].photon)


def test_a_camera_that_is_the_common_one_keeps_its_noise():
    own, _ = facts()
    assert own["source"].background_rms == pytest.approx(0.02, rel=1e-12)
    assert own["source"].exposure_time == pytest.approx(4000, rel=1e-12)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("flux", [0.0, 0.2, 2.0])
def test_noise_is_as_large_as_was_promised(side, flux):
    images = harmonised(side, flux)
    inner = images[:, 8:16, 8:16]
    variance = inner.var(0).mean()
    _, both = facts()
    promised = both.background + both.photon * inner.mean()
    # 64 pixels of 3,000 images: 0.3 per cent, neighbours are correlated. Without light what is
    # below 0 adds no photons while what is above does: 0.4 rms photon / 2 background = 4 per cent.
    assert variance == pytest.approx(promised, rel=0.015 if flux else 0.06)


@pytest.mark.parametrize("side", SIDES)
def test_noise_has_the_mean_of_the_light(side):
    known, _, _ = SIDES[side]
    images = harmonised(side, 0.0)
    assert abs(images.mean()) < 5 * 0.02 / np.sqrt(images.size / 9)  # over correlated pixels
    flux = harmonised(side, 0.5)[:, 8:16, 8:16].mean()
    gain = 10 ** (0.4 * (25 - known.zero_point))
    assert flux == pytest.approx(0.5 * gain * (0.101 / known.pixel_scale) ** 2, rel=2e-3)


def test_what_neither_saw_is_background_alone():
    _, both = facts()
    for side in SIDES:
        images = harmonised(side, 0.5)
        known = SIDES[side][0]
        operator = operator_of(known, common_camera(SIDES["source"][0], SIDES["target"][0]))
        outside = images[:, ~operator.mask]
        assert outside.shape[1] > 100
        assert outside.mean() == pytest.approx(0, abs=5 * 0.02 / np.sqrt(outside.size))
        assert outside.var() == pytest.approx(both.background, rel=5 * np.sqrt(2 / outside.size))


def test_nothing_is_added_where_nothing_is_missing():
    common = common_camera(WIDE, WIDE)
    operator = operator_of(WIDE, common)
    x = np.random.default_rng(0).normal(size=(2, PIX, PIX))
    rms, time = np.full(2, 0.5), np.full(2, 10.0)
    own = noise_facts(operator, rms, time)
    normal = np.full(x.shape, 100.0)
    found = equalised(x, operator, own, background_rms=rms, exposure_time=time, normal=normal)
    np.testing.assert_array_equal(found.astype(np.float32), x.astype(np.float32))


def test_the_noisiest_image_sets_the_noise():
    operator = operator_of(WIDE, common_camera(WIDE, WIDE))
    found = noise_facts(operator, np.array([1.0, 3.0]), np.array([10.0, 40.0]))
    assert found == NoiseFacts(9.0, 0.1)


def test_two_noisy_cameras_cannot_be_told_by_their_noise(domain):
    """Lenses of Model II through two cameras: residuals from the same clean image look alike."""
    n, cameras, spread = 40, [], []
    drawn = [seen(domain, "model_ii", n, **instrument) for instrument in ({}, SHARP)]
    cameras: list[Camera] = [camera_of(d) for d, _, _ in drawn]
    common = common_camera(*cameras)
    own = [
        noise_facts(operator_of(c, common), s.truth["background_rms"], s.truth["exposure_time"])
        for c, (_, s, _) in zip(cameras, drawn, strict=True)
    ]
    noise = NoiseFacts.larger(*own)
    for side, known, (d, systems, clean) in zip(SIDES, cameras, drawn, strict=True):
        operator = operator_of(known, common)
        images = equalised(
            noisy(d, systems, clean).astype(float),
            operator,
            noise,
            background_rms=systems.truth["background_rms"],
            exposure_time=systems.truth["exposure_time"],
            normal=normal_numbers(0, side=side, split="test", start=0, stop=n, num_pix=64),
        )
        expected = operator.image(clean)
        z = (images - expected) / np.sqrt(noise.background + noise.photon * expected)
        bright = expected > 3 * noise.background_rms
        spread.append((z[bright].std(), z[:, operator.mask].std()))
    for bright, all_of_it in spread:  # 25,000 bright pixels, 100,000 in all
        assert bright == pytest.approx(1, abs=0.02)
        assert all_of_it == pytest.approx(1, abs=0.015)


def test_numbers_of_an_image_depend_on_its_index_alone():
    where = {"side": "source", "split": "train", "num_pix": 8}
    whole = normal_numbers(3, start=0, stop=10, **where)
    np.testing.assert_array_equal(normal_numbers(3, start=4, stop=7, **where), whole[4:7])
    flat = whole.reshape(10, -1)
    assert len({row.tobytes() for row in flat}) == 10


@pytest.mark.parametrize(
    "other", [{"seed": 4}, {"side": "target"}, {"split": "val"}], ids=["seed", "side", "split"]
)
def test_seed_side_and_split_have_numbers_of_their_own(other):
    where = {"seed": 3, "side": "source", "split": "train", "start": 0, "stop": 500, "num_pix": 8}
    one, two = (normal_numbers(**w) for w in (where, where | other))
    # 32,000 pairs of independent numbers.
    assert abs(np.corrcoef(one.ravel(), two.ravel())[0, 1]) < 4 / np.sqrt(32_000)
