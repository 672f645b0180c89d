"""The best settings are an overlay of the configuration."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from toy.configuration import CONFIG_DIR, load_varied

from lensml.evaluation.adaptation.development import settings_text, tabulate_development
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
    return load_varied(CONFIG_DIR / "development.yaml")


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
    chosen = load_varied(best)
    assert chosen.adaptation == changed(load_varied().adaptation, values["adda", 1])
    text = Path(outputs[1]).read_text()
    rate = config.adaptation.adda.learning_rate_encoder
    assert f", learning_rate_encoder {rate}," in text
    assert settings_text(values["adda", 1], {}) in text


def test_without_a_pair_other_seeds_are_no_mistake(tmp_path):
    assert load_varied().development.pairs == []
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("classifier: {seeds: [3]}")
    assert load_varied(overlay).classifier.seeds == [3]
