"""Random streams: one independent generator per image and purpose.

A stream depends on the seed, the purpose, the domain, the split and the index of the image, and on
nothing else: not on the number of jobs, nor on what was drawn before.
"""

from __future__ import annotations

from zlib import crc32

import numpy as np

from lensml.schema.simulation import SPLITS


def seed_sequence(
    seed: int, *, purpose: str, domain: str, split: str, index: int
) -> np.random.SeedSequence:
    """Seed sequence of one image.

    Args:
        seed: of the whole run.
        purpose: 'system' and 'noise' are shared by the classes (a paired design), a class's
            substructure has its own, for example 'substructure/cdm'.
        domain: name of the domain.
        split: 'train', 'val' or 'test'.
        index: of the image within its class and split.
    """
    key = (crc32(purpose.encode()), crc32(domain.encode()), SPLITS.index(split), index)
    return np.random.SeedSequence(seed, spawn_key=key)


def generator(sequence: np.random.SeedSequence) -> np.random.Generator:
    """Counter-based generator of a seed sequence."""
    return np.random.Generator(np.random.Philox(sequence))


def system_id(sequence: np.random.SeedSequence) -> int:
    """Identifier of a lens system: 63 bits that no two systems share in practice."""
    return int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(1))
