"""Sets of images that could each be a domain's, and are not together."""

import numpy as np
import pytest

from lensml.evaluation.domain.facts import FACTS
from lensml.evaluation.domain.judge import Ordinary
from lensml.evaluation.domain.sets import chance, mixtures, reason_against_set

N = 400  # of a class
CHI2 = {0: 0.0, 1: 0.01, 2: 0.12}  # a class's mean of log10 chi2
NAMES = list(FACTS)


def drawn(label, n, rng):
    facts = rng.normal(size=(n, len(NAMES)))
    facts[:, NAMES.index("chi2")] = rng.normal(CHI2[label], 0.02, n)
    facts[:, NAMES.index("ln_n_sersic")] = rng.normal(0.4, 0.3, n)
    facts[:, NAMES.index("ln_R_sersic")] = rng.normal(-1.6, 0.2, n)
    return facts


@pytest.fixture(scope="module")
def ordinary():
    rng = np.random.default_rng(1)
    facts = np.concatenate([drawn(label, N, rng) for label in CHI2])
    one = np.array(1.0)
    labels = np.repeat(list(CHI2), N)
    return Ordinary(facts, labels, np.array(3), np.zeros(N), one, one)


def columns(facts, shift=0.0):
    value = {name: facts[:, NAMES.index(name)] for name in ("chi2", "ln_R_sersic", "ln_n_sersic")}
    return {
        "chi2": 10 ** value["chi2"],
        "R_sersic": np.exp(value["ln_R_sersic"]),
        "n_sersic": np.exp(value["ln_n_sersic"] + shift),
    }


@pytest.mark.parametrize("shares", [(1, 0, 0), (0, 0, 1), (0.5, 0.3, 0.2), (0, 0.9, 0.1)])
def test_sets_of_any_share_of_the_classes_are_the_domains(ordinary, shares):
    refused = 0
    for seed in range(100):
        rng = np.random.default_rng([2, seed])
        n = rng.multinomial(100, shares)
        facts = np.concatenate([drawn(k, n[k], rng) for k in CHI2])
        refused += bool(reason_against_set(columns(facts), ordinary))
    assert refused <= 1


def test_a_set_with_other_sources_is_not(ordinary):
    facts = drawn(0, 60, np.random.default_rng(3))
    assert reason_against_set(columns(facts, shift=-0.3), ordinary) == (
        "as a set of 60: Sersic indices of the sources are smaller than the domain's; "
        "is the PSF that of its camera?"
    )
    assert "are larger than" in reason_against_set(columns(facts, shift=0.3), ordinary)


def test_too_few_images_are_no_set(ordinary):
    facts = drawn(0, 29, np.random.default_rng(4))
    assert reason_against_set(columns(facts, shift=5.0), ordinary) == ""


def test_a_residual_that_no_class_has_is_seen(ordinary):
    facts = drawn(1, 80, np.random.default_rng(5))
    between = columns(facts)
    between["chi2"] = 10 ** np.full(80, 0.06)  # the classes have it left and right of that
    assert reason_against_set(between, ordinary).startswith("as a set of 80: chi2 of the smooth")


def test_chances_of_a_class_by_itself_are_not_too_small(ordinary):
    chances = []
    for seed in range(200):
        values = drawn(2, 50, np.random.default_rng([6, seed]))[:, NAMES.index("chi2")]
        chances.append(chance(values, ordinary, "chi2"))
    assert np.mean(np.array(chances) < 0.1) < 0.1


def test_mixtures_are_shares():
    shares = mixtures(3)
    assert len(shares) == 66
    np.testing.assert_allclose(shares.sum(1), 1)
    assert mixtures(1).tolist() == [[1.0]]
