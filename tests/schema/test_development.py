"""Development of methods: trials stay in their space, mistakes are one line."""

from __future__ import annotations

import numpy as np
import pytest
from toy.configuration import CONFIG_DIR, load_varied

from lensml.schema import ConfigError
from lensml.schema.development import changed, trial_values


@pytest.fixture(scope="module")
def config():
    return load_varied(CONFIG_DIR / "development.yaml")


def test_the_first_trial_of_a_method_is_as_configured(config):
    for method in config.development.methods:
        assert trial_values(config.development, method, 0, 7) == {}
    assert changed(config.adaptation, {}) == config.adaptation


def test_trials_stay_in_their_space_and_fill_it(config):
    spec = config.development
    drawn = [trial_values(spec, "adda", k, 7) for k in range(1, 400)]
    assert all(set(v) == {n for n in spec.space if n.startswith("adda.")} for v in drawn)
    rates = np.array([v["adda.learning_rate_encoder"] for v in drawn])
    assert rates.min() >= 3e-6
    assert rates.max() <= 3e-4
    # Uniform in the logarithm: the mean of 399 draws lies within four standard errors.
    middle = (np.log(3e-6) + np.log(3e-4)) / 2
    error = (np.log(3e-4) - np.log(3e-6)) / np.sqrt(12 * len(rates))
    assert abs(np.log(rates).mean() - middle) < 4 * error
    assert {v["adda.label_smoothing"] for v in drawn} == {0.0, 0.1, 0.2}


def test_a_trial_follows_from_its_number_alone(config):
    spec = config.development
    shorter = spec.model_copy(update={"n_trials": 2})
    assert trial_values(spec, "coral", 1, 7) == trial_values(shorter, "coral", 1, 7)
    assert trial_values(spec, "coral", 1, 7) != trial_values(spec, "coral", 2, 7)
    assert trial_values(spec, "coral", 1, 7) != trial_values(spec, "coral", 1, 8)


def test_a_trial_changes_its_method_and_nothing_else(config):
    values = trial_values(config.development, "dann", 3, 7)
    found = changed(config.adaptation, values)
    assert found.dann.learning_rate == values["dann.learning_rate"]
    assert found.dann.hidden_dim == config.adaptation.dann.hidden_dim
    assert found.model_copy(update={"dann": config.adaptation.dann}) == config.adaptation


MISTAKES = {
    "pairs: [{source: euclid, target: hst}]": "must not be reported on it",
    "pairs: [{source: euclid, target: lsst}]": "pairs.target = 'lsst': is not listed under",
    "pairs: [{source: hst, target: euclid}]": "pairs.source = 'hst': is not listed under",
    "methods: [adabn]": "adabn: allowed are adda",
    "seeds: [5]": "is not listed under 'classifier.seeds'",
    "encoder: cnn": "is not listed under 'adaptation.encoders'",
    "space: {adda.beta: {low: 0.1, high: 0.2}}": "adda.beta",
    "space: {oracle.epochs: {low: 1, high: 2}}": "must be one of adda",
    "space: {adda.ema_decay: {low: 1.5, high: 2.0}}": "less than 1",
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_that_names_the_key(mistake, tmp_path):
    overlay = tmp_path / "overlay.yaml"
    pair = "" if mistake.startswith("pair") else "pairs: [{source: euclid, target: euclid_soft}], "
    domains = "domains: [euclid, hst, euclid_soft]"
    overlay.write_text(f"{domains}\ndevelopment: {{{pair}{mistake}}}")
    with pytest.raises(ConfigError) as caught:
        load_varied(overlay)
    assert len(caught.value.lines) == 1
    assert MISTAKES[mistake] in caught.value.lines[0]
