"""The stopwatch of a step's pieces."""

from __future__ import annotations

import pytest
from toy.devices import CPU

from lensml.training.engine.stopwatch import Stopwatch

pytestmark = pytest.mark.usefixtures("one_torch_thread")


def test_a_stopwatch_charges_every_piece_with_its_own_time(monkeypatch):
    times = iter([1.0, 3.0, 7.0, 8.0])
    monkeypatch.setattr("time.perf_counter", lambda: next(times))
    watch = Stopwatch(CPU)
    for piece in ("batch", "forward", "batch"):
        watch(piece)
    assert (watch.seconds["batch"], watch.seconds["forward"]) == (3.0, 4.0)
