"""Settings of adaptation on a pair whose target labels may be used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from test_config import CONFIG_DIR, DEFAULT, load_files

from lensml.evaluation.adaptation.development import settings_text, tabulate_development
from lensml.schema import ConfigError
from lensml.schema.development import changed, configured_values, trial_values
from lensml.schema.training import Evaluation

EVALUATION = Evaluation(
    n_bootstrap=100,
    confidence=0.95,
    false_positive_rates=[0.1],
    calibration_bins=5,
    n_embedded=10,
)


@pytest.fixture(scope="module")
def config():
    return load_files(DEFAULT, CONFIG_DIR / "development.yaml")


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
    "pairs: [{source: euclid, target: lsst}]": "target 'lsst' is not listed under 'domains'",
    "pairs: [{source: hst, target: euclid}]": "source 'hst' is not listed under",
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
        load_files(DEFAULT, overlay)
    assert len(caught.value.lines) == 1
    assert MISTAKES[mistake] in caught.value.lines[0]


def predictions(path: Path, skill: float, seed: int) -> str:
    rng = np.random.default_rng(seed)
    label = np.repeat(np.arange(3), 60)
    p = np.exp(rng.normal(size=(180, 3)) + skill * np.eye(3)[label])
    p /= p.sum(1, keepdims=True)
    names = ("no_sub", "cdm", "vortex")
    index = np.tile(np.arange(60), 3)
    columns = {"system_id": index, "index": index, "label": np.array(names)[label]}
    columns |= {f"p_{name}": p[:, k] for k, name in enumerate(names)}
    pd.DataFrame(columns).to_csv(path, index=False)
    return str(path)


def test_the_best_settings_are_an_overlay_of_the_configuration(config, tmp_path):
    # ADDA's second trial is worse on one target and better over both.
    skills = {
        ("soft", "adda", 0): 1.0,
        ("soft", "adda", 1): 0.9,
        ("blurred", "adda", 0): 0.5,
        ("blurred", "adda", 1): 3.0,
        ("soft", "coral", 0): 3.0,
        ("soft", "coral", 1): 1.0,
    }
    values = {key[1:]: trial_values(config.development, *key[1:], 7) for key in skills}
    runs = [
        {
            "source_domain": "euclid",
            "target_domain": target,
            "method": method,
            "trial": trial,
            "values": values[method, trial],
            "configured": configured_values(config.development, method, config.adaptation),
            "seed": seed,
            "path": predictions(tmp_path / f"{target}{method}{trial}{seed}.csv", skill, seed),
            "reference": str(tmp_path / f"{target}{method}0{seed}.csv") if trial else "",
        }
        for (target, method, trial), skill in skills.items()
        for seed in range(2)
    ]
    outputs = [str(tmp_path / f"development.{end}") for end in ("csv", "md", "tex")]
    best = tmp_path / "best.yaml"
    tabulate_development(runs, outputs, str(best), EVALUATION, seed=0)
    assert "euclid to soft, euclid to blurred: mean AUC" in best.read_text()
    tree = yaml.safe_load(best.read_text())
    own = {name.partition(".")[2]: v for name, v in values["adda", 1].items()}
    assert tree == {"adaptation": {"adda": own}}
    assert "coral: trial 0" in best.read_text()
    chosen = load_files(DEFAULT, best)
    assert chosen.adaptation == changed(load_files(DEFAULT).adaptation, values["adda", 1])
    text = Path(outputs[1]).read_text()
    rate = config.adaptation.adda.learning_rate_encoder
    assert f", learning_rate_encoder {rate}," in text
    assert settings_text(values["adda", 1], {}) in text


def test_without_a_pair_other_seeds_are_no_mistake(tmp_path):
    assert load_files(DEFAULT).development.pairs == []
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("classifier: {seeds: [3]}")
    assert load_files(DEFAULT, overlay).classifier.seeds == [3]
