"""Random streams: one independent generator per image and purpose.

A stream depends on the seed, the purpose, the domain, the split and the index of the image, and on
nothing else: not on the number of jobs, nor on what was drawn before.
"""

from __future__ import annotations

from zlib import crc32

import numpy as np

from lensml.schema.simulation import SPLITS

_TWO32 = 2**32


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


class Streams:
    """Generators of consecutive images and one purpose, without their cost one by one.

    ``streams[i]`` draws what ``generator(seed_sequence(..., index=start + i))`` would. There is
    one generator, set anew by every access: use it up before asking for the next image.
    """

    def __init__(
        self, seed: int, *, purpose: str, domain: str, split: str, start: int, stop: int
    ) -> None:
        first = seed_sequence(seed, purpose=purpose, domain=domain, split=split, index=start)
        self.keys = _philox_keys(first, np.arange(start, stop))
        self._bits = np.random.Philox(0)
        self._generator = np.random.Generator(self._bits)
        self._state = np.random.Philox(0).state

    def __getitem__(self, i: int) -> np.random.Generator:
        self._state["state"]["key"] = self.keys[i]
        self._bits.state = self._state
        return self._generator

    def raw(self, i: int, n: int) -> np.ndarray:
        """(n,) uint64 random bits: what ``generator(...).bit_generator.random_raw(n)`` gives."""
        bits = self[i].bit_generator.random_raw(n)
        return np.asarray(bits, np.uint64)

    def system_id(self, i: int) -> int:
        """:func:`system_id` of image ``start + i``."""
        return int(self.keys[i, 0] >> np.uint64(1))


def _philox_keys(first: np.random.SeedSequence, index: np.ndarray) -> np.ndarray:
    """Keys that ``Philox`` takes from the seed sequences that differ in their last word.

    NumPy mixes the words of a sequence one after the other (O'Neill 2015, "Developing a seed_seq
    alternative"; the algorithm is frozen by NumPy), so only the last step depends on the image.

    Args:
        first: sequence of any of the images.
        index: (N,) their indices, below 2^32.

    Returns:
        (N, 2) uint64.
    """
    *common, _ = first.spawn_key
    entropy = first.entropy
    assert isinstance(entropy, int)
    pool = np.random.SeedSequence(entropy, spawn_key=common).pool.astype(np.uint32)
    words = max(4, -(-entropy.bit_length() // 32)) + len(common)
    hashes = 16 + 4 * (words - 4)  # that were made before the last word
    constant = 0x43B0D7E5 * pow(0x931E8875, hashes, _TWO32) % _TWO32
    mixed = []
    for word in pool:
        value, constant = _hashed(index.astype(np.uint32), constant, 0x931E8875)
        value = np.uint32(0xCA01F9DD) * np.full_like(value, word) - np.uint32(0x4973F715) * value
        mixed.append(value ^ (value >> np.uint32(16)))
    constant, state = 0x8B51F9DD, []
    for value in mixed:
        value, constant = _hashed(value, constant, 0x58F38DED)
        state.append(value.astype(np.uint64))
    low, high = np.stack(state[::2], axis=1), np.stack(state[1::2], axis=1)
    return low | (high << np.uint64(32))


def _hashed(value: np.ndarray, constant: int, factor: int) -> tuple[np.ndarray, int]:
    """One step of the hash, and its next constant."""
    after = constant * factor % _TWO32
    value = (value ^ np.uint32(constant)) * np.uint32(after)
    return value ^ (value >> np.uint32(16)), after
