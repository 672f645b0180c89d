"""Streams of random numbers."""

from __future__ import annotations

import numpy as np
import pytest

from lensml.simulate.streams import Streams, generator, seed_sequence, system_id


@pytest.mark.parametrize("seed", [0, 1, 20190717, 2**32, 2**63 - 1])
def test_streams_of_a_block_are_those_of_its_images(seed):
    where = {"purpose": "noise", "domain": "euclid", "split": "val"}
    streams = Streams(seed, **where, start=2**20, stop=2**20 + 20)
    for i in (3, 0, 19):
        sequence = seed_sequence(seed, **where, index=2**20 + i)
        expected, found = generator(sequence), streams[i]
        assert streams.system_id(i) == system_id(sequence)
        # An odd number of half-words before: what is left of a word must not leak into the next.
        for kind in (np.float32, np.float64, np.float32):
            np.testing.assert_array_equal(
                found.standard_normal(7, dtype=kind), expected.standard_normal(7, dtype=kind)
            )
        assert found.integers(10, dtype=np.uint32) == expected.integers(10, dtype=np.uint32)
