"""The configuration that is shipped is valid, as are its overlays."""

from __future__ import annotations

import pytest
from toy.configuration import CONFIG_DIR, DEFAULT, DOMAINS, load_files

from lensml.schema import ConfigError
from lensml.schema.simulation import Domain
from lensml.schema.yaml_reader import read_yaml
from lensml.simulate.systems import draw_systems


def test_the_default_configuration_is_valid():
    config = load_files(DEFAULT)
    assert config.domains == ["euclid_l1", "hst_l1"]
    assert config.substructures == ["no_sub", "cdm", "vortex"]
    # the twin without noise is for the ablation's variant that draws noise anew
    assert set(config.resolved) == {"euclid_l1", "hst_l1", "euclid_l1_noiseless"}
    assert config.resolved["euclid_l1_noiseless"].instrument.noise == "none"


@pytest.mark.parametrize(
    ("overlay", "line"),
    [
        ("zoo: {compare_with: resnet18, encoders: [cnn]}", "must be one of zoo.encoders"),
        ("zoo: {encoders: [cnn, vti]}", "zoo.encoders = 'vti': is not listed under 'encoders'"),
        ("scaling: {domain: jwst}", "scaling.domain = 'jwst': is not listed under 'domains'"),
        ("ablation: {variants: {shipped: {encoder: cnn}}}", "which changes nothing"),
        (
            "ablation: {variants: {x: {classifier: {ema_decay: 2.0}}}}",
            "ablation.variants.x.classifier.ema_decay = 2.0",
        ),
        ("network_input: {center_crop: 63}", "must leave equal margins in the 64 pixels"),
        ("network_input: {center_crop: 80}", "must leave equal margins in the 64 pixels"),
    ],
)
def test_a_mistake_in_a_study_is_one_line(load, overlay, line):
    with pytest.raises(ConfigError) as caught:
        load(overlay)
    assert line in str(caught.value)


@pytest.mark.parametrize("name", sorted(p.name for p in CONFIG_DIR.glob("*.yaml")))
def test_every_shipped_overlay_is_valid(name):
    config = load_files(DEFAULT, CONFIG_DIR / name)
    for key, value in read_yaml(CONFIG_DIR / name).items():
        if not isinstance(value, dict):
            assert getattr(config, key) == value  # the overlay wins


def test_the_shipped_overlays_are_the_documented_ones():
    assert {"config.yaml", "smoke.yaml", "paper.yaml"} <= {
        p.name for p in CONFIG_DIR.glob("*.yaml")
    }


def test_the_paper_has_the_published_sizes():
    config = load_files(DEFAULT, CONFIG_DIR / "paper.yaml")
    assert config.simulation.n_train == 30_000
    assert config.simulation.n_test == 5_000
    assert {"model_i", "model_ii", "model_iii"} < set(config.resolved)
    assert len(config.classifier.seeds) == 5


@pytest.mark.parametrize("name", DOMAINS)
def test_every_domain_of_the_catalogue_can_be_simulated(load, name):
    config = load(f"domains: [euclid, hst, {name}]" if name not in ("euclid", "hst") else "{}")
    domain = config.domain(name)
    assert domain.name == name
    for substructure in config.substructures:
        systems = draw_systems(domain, substructure, seed=1, split="train", start=0, stop=2)
        assert len(systems) == 2


def test_a_resolved_domain_survives_the_way_through_a_job(default_config):
    for domain in default_config.resolved.values():
        assert Domain.model_validate(domain.model_dump()) == domain


def test_a_checked_configuration_cannot_be_changed(default_config):
    with pytest.raises(ValueError, match="frozen"):
        default_config.seed = 3
    with pytest.raises(ValueError, match="frozen"):
        default_config.simulation.n_train = 3
