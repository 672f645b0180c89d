"""Averaged weights."""

from __future__ import annotations

import copy

import pytest
import torch
from toy.study import CNN

from lensml.models.encoders import build_encoder
from lensml.training.engine.averaging import WeightAverage

pytestmark = pytest.mark.usefixtures("one_torch_thread")


def test_averaged_weights_move_by_the_decay_and_counters_are_copied():
    average, model = build_encoder(CNN, 16), build_encoder(CNN, 16)
    for value in model.state_dict().values():
        value += 1
    before, target = copy.deepcopy(average.state_dict()), model.state_dict()
    WeightAverage(average, model).update(0.75)
    counters = 0
    for name, found in average.state_dict().items():
        if name.endswith("num_batches_tracked"):
            assert found.item() == 1
            counters += 1
        else:
            expected = 0.75 * before[name] + 0.25 * target[name]
            torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    assert counters == 4
