"""Losses that wait, and the random state."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from lensml.training.engine.losses import READ_EVERY, Losses
from lensml.training.engine.random_state import random_state, restore_random_state

pytestmark = pytest.mark.usefixtures("one_torch_thread")


def test_losses_that_wait_are_the_same_and_name_their_step(monkeypatch):
    values = [torch.tensor(float(v)) for v in np.random.default_rng(0).random(READ_EVERY + 7)]
    at_once = Losses()
    for step, value in enumerate(values):
        at_once.add(step, {"loss": value})
    monkeypatch.setattr("lensml.training.engine.losses._on_gpu", lambda value: True)
    late = Losses()
    for step, value in enumerate(values):
        late.add(step, {"loss": value})
    assert late.means() == at_once.means()
    broken = Losses()
    for step in range(100, 103):
        broken.add(step, {"loss": torch.tensor(math.nan if step == 101 else 0.0)})
    with pytest.raises(FloatingPointError, match=r"loss is nan at step 101\b"):
        broken.means()


def test_the_random_state_is_restored_and_a_new_process_keeps_its_own():
    torch.manual_seed(3)
    states = random_state()
    expected = torch.rand(3)
    torch.manual_seed(4)
    restore_random_state(states)
    assert torch.equal(torch.rand(3), expected)
    torch.manual_seed(4)
    restore_random_state([])
    assert torch.initial_seed() == 4
