"""Configuration: what is shipped is valid, and a mistake is one line that says how to mend it."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lenstronomy.SimulationAPI.ObservationConfig.Euclid import Euclid
from lenstronomy.SimulationAPI.ObservationConfig.HST import HST
from lenstronomy.SimulationAPI.ObservationConfig.JWST import JWST
from lenstronomy.SimulationAPI.ObservationConfig.LSST import LSST
from lenstronomy.SimulationAPI.ObservationConfig.Roman import Roman
from pydantic import TypeAdapter, ValidationError

from lensml.schema import Config, ConfigError, load_config
from lensml.schema.base import Name
from lensml.schema.simulation import Domain, Instrument
from lensml.schema.yaml_reader import deep_merge, read_yaml
from lensml.simulate.systems import draw_systems

CONFIG_DIR = Path(__file__).parents[1] / "config"
DEFAULT = CONFIG_DIR / "config.yaml"
Load = Callable[..., Config]
Problem = Callable[[str], str]


def load_files(*files: Path, catalogue_dir: Path = CONFIG_DIR / "catalogue") -> Config:
    """Merge files in order, as Snakemake does, and check the result."""
    merged: dict[str, Any] = {}
    for file in files:
        merged = deep_merge(merged, read_yaml(file))
    return load_config(merged, catalogue_dir=catalogue_dir, files=files)


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Load the default configuration with an overlay given as YAML text."""

    def check(text: str) -> Config:
        overlay = tmp_path / "overlay.yaml"
        overlay.write_text(text, encoding="utf-8")
        return load_files(DEFAULT, overlay)

    return check


@pytest.fixture
def problem(load: Load) -> Problem:
    """The one line that an overlay's mistake is reported as."""

    def check(text: str) -> str:
        with pytest.raises(ConfigError) as caught:
            load(text)
        (line,) = caught.value.lines
        assert str(caught.value) == line
        assert "\n" not in line
        return line

    return check


# ------------------------------------------------------------------------ what is shipped is valid


def test_the_default_configuration_is_valid():
    config = load_files(DEFAULT)
    assert config.domains == ["euclid", "hst"]
    assert config.substructures == ["no_sub", "cdm", "vortex"]
    # the twin without noise is for the ablation's variant that draws noise anew
    assert set(config.resolved) == {"euclid", "hst", "euclid_noiseless"}
    assert config.resolved["euclid_noiseless"].instrument.noise == "none"


@pytest.mark.parametrize(
    ("overlay", "line"),
    [
        ("zoo: {compare_with: resnet18, encoders: [cnn]}", "must be one of zoo.encoders"),
        ("zoo: {encoders: [cnn, vti]}", "zoo.encoders = 'vti': is not listed under 'encoders'"),
        ("scaling: {domain: jwst}", "scaling.domain = 'jwst': is not listed under 'domains'"),
        ("ablation: {variants: {shipped: {encoder: cnn}}}", "which changes nothing"),
        (
            "ablation: {variants: {x: {classifier: {ema_decay: 2.0}}}}",
            "ablation.variants.x: ema_decay = 2.0",
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


@pytest.mark.parametrize("name", sorted(p.stem for p in CONFIG_DIR.glob("catalogue/domains/*")))
def test_every_domain_of_the_catalogue_can_be_simulated(load, name):
    config = load(f"domains: [euclid, hst, {name}]" if name not in ("euclid", "hst") else "")
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


# --------------------------------------------------- one mistake, one line: file, key, value, rule

# Overlay, the key it is about with the value as found, what the line must say is allowed.
MISTAKES: dict[str, tuple[str, str, str]] = {
    "misspelt key": (
        "classifier: {epoch: 3}",
        "classifier.epoch = 3",
        "unknown key; did you mean 'epochs'?",
    ),
    "misspelt section": ("clasifier: {epochs: 3}", "clasifier", "did you mean 'classifier'?"),
    "misspelt key of an encoder": (
        "encoders: {vit: {depht: 3}}",
        "encoders.vit.depht = 3",
        "did you mean 'depth'?",
    ),
    "key like no other": (
        "simulation: {xyzzy: 3}",
        "simulation.xyzzy = 3",
        "unknown key; allowed are engine, images_per_block, n_test, n_train, n_val, precision",
    ),
    "negative count": (
        "simulation: {n_train: -5}",
        "simulation.n_train = -5",
        "should be greater than or equal to 1",
    ),
    "no images": ("simulation: {n_val: 0}", "simulation.n_val = 0", "greater than or equal to 1"),
    "fraction of an image": (
        "simulation: {n_train: 2.5}",
        "simulation.n_train = 2.5",
        "should be a valid integer",
    ),
    "truth as a number": ("seed: true", "seed = True", "should be a valid integer"),
    "unknown domain": (
        "domains: [euclid, hst, hts]",
        "domains = 'hts'",
        "unknown domain; did you mean 'hst'?",
    ),
    "unknown domain like no other": (
        "domains: [euclid, hst, xmm]",
        "domains = 'xmm'",
        "known are euclid, euclid_blurred, euclid_degraded, euclid_l1, euclid_l3",
    ),
    "class listed twice": (
        "substructures: [no_sub, cdm, cdm]",
        "substructures = ['no_sub', 'cdm', 'cdm']",
        "cdm listed more than once",
    ),
    "unknown class": (
        "substructures: [no_sub, wdm]",
        "substructures[1] = 'wdm'",
        "should be 'no_sub', 'cdm' or 'vortex'",
    ),
    "one class": ("substructures: [no_sub]", "substructures = ['no_sub']", "at least 2 items"),
    "no_sub is not first": (
        "substructures: [cdm, no_sub]",
        "top level: substructures",
        "must begin with no_sub",
    ),
    "errors in noise units without fluxes": (
        "network_input: {stretch: per_image_max}",
        "network_input.stretch = 'per_image_max'",
        "hides fluxes, which anomaly scores in units of noise need",
    ),
    "domain listed twice": (
        "domains: [euclid, hst, hst]",
        "domains = ['euclid', 'hst', 'hst']",
        "hst listed more than once",
    ),
    "seed listed twice": (
        "classifier: {seeds: [0, 1, 0]}",
        "classifier.seeds = [0, 1, 0]",
        "0 listed more than once",
    ),
    "exponent without a point": (
        "classifier: {learning_rate: 1e-4}",
        "classifier.learning_rate = '1e-4'",
        "is text, not a number (YAML 1.1 wants a point): write 1.0e-4",
    ),
    "number in quotes": (
        "classifier: {learning_rate: '0.001'}",
        "classifier.learning_rate = '0.001'",
        "write 0.001 without quotes",
    ),
    "words for a number": (
        "classifier: {learning_rate: small}",
        "classifier.learning_rate = 'small'",
        "should be a number",
    ),
    "text for truth": (
        "classifier: {augment: 'no'}",
        "classifier.augment = 'no'",
        "should be a valid boolean",
    ),
    "folder in a name": (
        "domains: [euclid, hst, a/b]",
        "domains[2] = 'a/b'",
        "names become folders",
    ),
    "way out in a name": ("domains: [../x, hst]", "domains[0] = '../x'", "names become folders"),
    "folder in a catalogue name": (
        "catalogue: {domains: {a/b: {num_pix: 32}}}",
        "catalogue.domains.a/b",
        "names become folders",
    ),
    "not a number": (
        "evaluation: {confidence: .nan}",
        "evaluation.confidence = nan",
        "should be a finite number",
    ),
    "infinite": (
        "classifier: {learning_rate: .inf}",
        "classifier.learning_rate = inf",
        "should be a finite number",
    ),
    "out of bounds": (
        "evaluation: {confidence: 1.5}",
        "evaluation.confidence = 1.5",
        "should be less than 1",
    ),
    "unknown option": (
        "simulation: {engine: cupy}",
        "simulation.engine = 'cupy'",
        "should be 'numba' or 'lenstronomy'",
    ),
    "unknown kind of encoder": (
        "encoders: {vit: {kind: resnet}}",
        "encoders.vit",
        "'resnet' found using 'kind' does not match any of the expected tags: "
        "'vit_conv_stem', 'vit', 'cnn'",
    ),
    "comparison with a model that is not trained": (
        "evaluation: {compare_with: radial_profil}",
        "evaluation.compare_with = 'radial_profil'",
        "is neither listed under 'classifier.encoders' nor 'radial_profile'; "
        "did you mean 'radial_profile'?",
    ),
    "encoder that is not declared": (
        "classifier: {encoders: [vit_conv_stem, vitt]}",
        "classifier.encoders = 'vitt'",
        "is not listed under 'encoders'; did you mean 'vit'?",
    ),
    "heads that do not divide": (
        "encoders: {vit: {num_heads: 5}}",
        "encoders.vit",
        "embed_dim (96) must be a multiple of num_heads (5)",
    ),
    "patches that do not fit": (
        "anomaly: {mae: {patch_size: 7}}",
        "anomaly.mae.patch_size = 7",
        "must divide the 64 pixels of 'euclid'",
    ),
    "more convolutions than an image can be halved": (
        "anomaly: {autoencoders: {methods: [vae], widths: [1, 1, 1, 1, 1, 1, 1]}}",
        "anomaly.autoencoders.widths = [1, 1, 1, 1, 1, 1, 1]",
        "the 64 pixels of 'euclid' can be halved 6 times at most",
    ),
    "autoencoder that nobody knows": (
        "anomaly: {autoencoders: {methods: [vea]}}",
        "anomaly.autoencoders.methods",
        "'vae'",
    ),
    "pair of one domain": (
        "adaptation: {pairs: [{source: euclid, target: euclid}]}",
        "adaptation.pairs[0]",
        "source and target must be two domains",
    ),
    "pair of different sizes": (
        "domains: [euclid, model_i]\nadaptation: {pairs: [{source: euclid, target: model_i}]}",
        "adaptation.pairs[0]",
        "an encoder takes one size",
    ),
    "source without a classifier": (
        "adaptation: {pairs: [{source: hst, target: euclid}]}",
        "adaptation.pairs[0].source = 'hst'",
        "is not listed under 'classifier.domains'",
    ),
    "empty section": ("simulation:", "simulation = None", "should be a valid dictionary"),
    "key that is a number": ("1: 2", "[1] = 2", "should be strings"),
}


@pytest.mark.parametrize("name", list(MISTAKES))
def test_a_mistake_is_one_line_with_file_key_value_and_rule(problem, tmp_path, name):
    text, key, rule = MISTAKES[name]
    line = problem(text)
    assert line.startswith(f"{tmp_path / 'overlay.yaml'}: {key}")
    assert rule in line


def test_a_mistake_in_the_base_file_names_the_base_file(tmp_path):
    base = tmp_path / "base.yaml"
    base.write_text(DEFAULT.read_text().replace("seed: 20190717", "seed: -1", 1))
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("figures: {dpi: 100}")
    with pytest.raises(ConfigError) as caught:
        load_files(base, overlay)
    assert caught.value.lines == [f"{base}: seed = -1: should be greater than or equal to 0"]


def test_a_missing_key_is_named(tmp_path):
    base = tmp_path / "base.yaml"
    base.write_text(DEFAULT.read_text().replace("seed: 20190717", "", 1))
    with pytest.raises(ConfigError) as caught:
        load_files(base)
    assert caught.value.lines == [f"{base}: seed: required key is missing"]


def test_every_mistake_is_reported_at_once(load):
    with pytest.raises(ConfigError) as caught:
        load("seed: -1\nclassifier: {epoch: 3}\nsimulation: {n_train: 0}\n")
    keys = [line.split(": ")[1].split(" = ")[0] for line in caught.value.lines]
    assert sorted(keys) == ["classifier.epoch", "seed", "simulation.n_train"]


# ------------------------------------------------------------------------------------ YAML's traps


@pytest.mark.parametrize(
    ("text", "key", "lines"),
    [
        ("seed: 1\nfigures: {dpi: 80}\nseed: 2\n", "seed", "lines 1 and 3"),
        ("classifier:\n  epochs: 2\n  seeds: [1]\n  epochs: 3\n", "epochs", "lines 2 and 4"),
    ],
)
def test_a_key_given_twice_is_refused_with_both_lines(problem, tmp_path, text, key, lines):
    expected = f"{tmp_path / 'overlay.yaml'}: key '{key}' appears twice ({lines}); remove one"
    assert problem(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "seed: !!python/object/apply:os.getpid []",
        "seed: !!python/name:os.getpid",
        "seed: !!python/tuple [1, 2]",
        "seed: !mine 1",
    ],
)
def test_tags_are_refused(problem, tmp_path, text):
    line = problem(text)
    assert line.startswith(f"{tmp_path / 'overlay.yaml'}:1: could not determine a constructor")


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("a: [", ":1: "),
        ("- a\n- b", "should hold 'key: value' pairs, found list"),
        ("just text", "should hold 'key: value' pairs, found str"),
        ("? [a, b]\n: 1", "key ['a', 'b'] is not text"),
    ],
)
def test_a_file_that_is_no_mapping_is_one_line(problem, tmp_path, text, rule):
    line = problem(text)
    assert line.startswith(str(tmp_path / "overlay.yaml"))
    assert rule in line


def test_a_file_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(ConfigError) as caught:
        read_yaml(tmp_path / "none.yaml")
    assert caught.value.lines == [
        f"{tmp_path / 'none.yaml'}: cannot be read (No such file or directory)"
    ]


def test_a_file_that_is_not_text_is_one_line(tmp_path):
    file = tmp_path / "binary.yaml"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError) as caught:
        read_yaml(file)
    assert caught.value.lines == [f"{file}: is not UTF-8 text"]


def test_an_empty_overlay_changes_nothing(load):
    assert load("# nothing\n") == load_files(DEFAULT)


TREES = st.recursive(
    st.integers() | st.text(max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=8,
)
MAPPINGS = st.dictionaries(st.sampled_from("abcd"), TREES, max_size=3)


@given(base=MAPPINGS, changes=MAPPINGS)
def test_merging_keeps_what_is_not_changed_and_the_overlay_wins(base, changes):
    merged = deep_merge(base, changes)
    assert set(merged) == set(base) | set(changes)
    for key in merged:
        if key not in changes:
            assert merged[key] == base[key]
        elif isinstance(changes[key], dict) and isinstance(base.get(key), dict):
            assert merged[key] == deep_merge(base[key], changes[key])
        else:
            assert merged[key] == changes[key]
    assert deep_merge(merged, changes) == merged


# Text of any kind, and text that is nearly a name.
NAMES = st.text(max_size=80) | st.from_regex(r"[A-Za-z0-9._/~ -]{1,70}", fullmatch=True)


@given(name=NAMES)
def test_a_name_that_is_allowed_is_one_harmless_part_of_a_path(name):
    allowed = re.compile("[A-Za-z0-9][A-Za-z0-9._-]*")  # what a shell and a URL take as well
    try:
        TypeAdapter(Name).validate_python(name)
    except ValidationError:
        assert not allowed.fullmatch(name) or len(name) > 64
    else:
        assert allowed.fullmatch(name)
        assert len(name) <= 64
        assert Path(name).parts == (name,)


@pytest.mark.parametrize(
    "name",
    [
        *(".", "..", "", "-rf", "a b", "é", "a" * 65, "~", "a/../b", "a\nb", "$(id)"),
        "a\n",
    ],
)
def test_names_that_are_no_part_of_a_path_are_refused(load, name):
    with pytest.raises(ConfigError, match="names become folders"):
        load(f"domains: [euclid, hst, {json.dumps(name)}]")


# ----------------------------------------------------------------------------------- the catalogue

POPULATION = "catalogue: {{populations: {{deeplense_varied: {{{}}}}}}}"
# Changes of a population, the key with its value as found, what is allowed.
PRIOR_MISTAKES: dict[str, tuple[str, str, str]] = {
    "wrong distribution": (
        "lens: {theta_E: {dist: gauss}}",
        "lens.theta_E",
        "a number or a mapping whose 'dist' is uniform, log_uniform, normal or log_normal",
    ),
    "text for a prior": (
        "lens: {theta_E: wide}",
        "lens.theta_E = 'wide'",
        "should be a number",
    ),
    "exponent without a point": (
        "vortex: {mass: 3e10}",
        "vortex.mass = '3e10'",
        "write 3.0e10",
    ),
    "low above high": (
        "source: {magnitude: {low: 24.0}}",
        "source.magnitude",
        "low (24.0) must not exceed high (23.0)",
    ),
    "low above high of a normal": (
        "lens: {theta_E: {low: 2.0}}",
        "lens.theta_E",
        "low (2.0) must be below high (1.6)",
    ),
    "bounds out of reach": (
        "lens: {theta_E: {low: 9.0, high: 10.0}}",
        "lens.theta_E",
        "more than 4 standard deviations from the mean",
    ),
    "unknown shape": (
        "source: {position: {shape: circle}}",
        "source.position",
        "'circle' found using 'shape' does not match any of the expected tags: "
        "'disc', 'disc_theta_E', 'annulus', 'square'",
    ),
    "unknown profile": (
        "vortex: {profile: ring}",
        "vortex",
        "'ring' found using 'profile' does not match any of the expected tags: 'points', 'line'",
    ),
    "fraction of a perturber": (
        "cdm: {n_perturbers: 2.5}",
        "cdm.n_perturbers = 2.5",
        "should be a valid integer",
    ),
    "negative number of perturbers": (
        "cdm: {n_perturbers: -1}",
        "cdm.n_perturbers = -1",
        "should be greater than or equal to 0",
    ),
    "masses the wrong way round": ("cdm: {m_min: 1.0e+11}", "cdm", "m_min (1e+11) must be below"),
    "two scales of the lens": (
        "lens: {sigma_v: 250.0}",
        "lens",
        "exactly one of theta_E and sigma_v",
    ),
    "a sheet without halos": (
        "lens: {mass_compensation: sheet}",
        "mass_compensation",
        "sheet needs cdm.profile: tnfw",
    ),
    "a mass that follows nothing": (
        "vortex: {mass: null, match: mass}",
        "vortex",
        "match: mass needs cdm.profile: tnfw",
    ),
    "a source without a shape": ("source: {n_sersic: 0.0}", "source", "n_sersic must be above 0"),
    "a median outside": (
        "source: {R_sersic: {dist: log_normal, median: 1.0, std_dex: 0.1, low: 0.1, high: 0.5}}",
        "source.R_sersic",
        "must lie between low and high",
    ),
    "source before the lens": ("z_source: 0.3", "z_source (0.3)", "must exceed z_lens (0.5)"),
    "two shapes of the source": ("source: {ellipticity: 0.1}", "source", "exactly one of"),
    "misspelt key": ("lens: {thetaE: 1.0}", "lens.thetaE = 1.0", "did you mean 'theta_E'?"),
}


@pytest.mark.parametrize("name", list(PRIOR_MISTAKES))
def test_a_mistake_in_a_prior_is_one_line(problem, name):
    change, key, rule = PRIOR_MISTAKES[name]
    line = problem(POPULATION.format(change))
    assert f": {key}" in line
    assert rule in line


def test_one_of_two_noise_descriptions_is_demanded(problem):
    line = problem("catalogue: {instruments: {euclid_vis: {background_rms: 0.1}}}")
    assert "give either background_rms, or both read_noise and sky_brightness" in line


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ("{instrument: euclid_viss}", "instrument = 'euclid_viss': did you mean 'euclid_vis'?"),
        ("{population: mine}", "population = 'mine': known are deeplense_asis, deeplense_fixed"),
        ("{num_pix: 4}", "num_pix = 4: should be greater than or equal to 8"),
        ("{supersampling_factor: 0}", "supersampling_factor = 0: should be greater than or"),
        ("{nun_pix: 32}", "nun_pix = 32: unknown key; did you mean 'num_pix'?"),
    ],
)
def test_a_mistake_in_a_domain_is_one_line(problem, change, rule):
    assert rule in problem(f"catalogue: {{domains: {{euclid: {change}}}}}")


def test_the_configuration_changes_an_instrument_of_the_catalogue(load):
    config = load("catalogue: {instruments: {hst_f160w: {psf_fwhm: 0.18}}}")
    shipped = load_files(DEFAULT)
    assert config.domain("hst").instrument.psf_fwhm == 0.18
    changed = config.domain("hst").instrument.model_copy(update={"psf_fwhm": 0.15})
    assert changed == shipped.domain("hst").instrument
    assert config.domain("euclid") == shipped.domain("euclid")


def test_the_configuration_changes_a_population_for_the_domains_that_use_it(load):
    config = load(POPULATION.format("lens: {theta_E: {mean: 1.2}}"))
    for name in ("euclid", "hst"):
        prior = config.domain(name).population.lens.theta_E
        assert (prior.mean, prior.std, prior.low) == (1.2, 0.1, 1.0)


def test_a_domain_changes_its_own_instrument_and_population_only(load):
    config = load(
        "catalogue: {domains: {euclid: {num_pix: 32, instrument_changes: {num_exposures: 1},"
        " population_changes: {lens: {shear: 0.1}}}}}\n"
        "adaptation: {pairs: []}\n"
    )
    euclid, hst = config.domain("euclid"), config.domain("hst")
    assert (euclid.num_pix, euclid.instrument.num_exposures) == (32, 1)
    assert euclid.population.lens.shear == 0.1
    assert hst.num_pix == 64
    assert hst.population.lens.shear != 0.1


NEW_DOMAIN = """
catalogue:
  instruments:
    my_camera:
      description: Mine
      pixel_scale: 0.2
      exposure_time: 30.0
      num_exposures: 10
      magnitude_zero_point: 27.0
      psf_fwhm: 0.7
      background_rms: 0.05
  domains:
    mine:
      description: Mine
      instrument: my_camera
      population: deeplense_varied
      num_pix: 32
      supersampling_factor: 2
      population_changes: {source: {magnitude: 20.0}}
domains: [euclid, hst, mine]
"""


def test_a_new_domain_needs_no_code(load):
    domain = load(NEW_DOMAIN).domain("mine")
    assert domain.instrument.pixel_scale == 0.2
    systems = draw_systems(domain, "vortex", seed=1, split="test", start=0, stop=3)
    assert set(systems.truth["source_magnitude"]) == {20.0}
    assert set(systems.truth["background_rms"]) == {0.05}
    assert set(systems.truth["exposure_time"]) == {300.0}


def test_a_new_domain_lacking_a_key_is_one_line(problem):
    line = problem(NEW_DOMAIN.replace("      num_pix: 32\n", ""))
    assert "num_pix: required key is missing" in line
    assert "mine" in line


def test_a_file_dropped_into_the_catalogue_is_a_new_domain(tmp_path):
    catalogue = tmp_path / "catalogue"
    for file in (CONFIG_DIR / "catalogue").rglob("*.yaml"):
        target = catalogue / file.relative_to(CONFIG_DIR / "catalogue")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    text = (catalogue / "domains" / "hst.yaml").read_text(encoding="utf-8")
    (catalogue / "domains" / "deep.yaml").write_text(text, encoding="utf-8")
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("domains: [euclid, hst, deep]")
    config = load_files(DEFAULT, overlay, catalogue_dir=catalogue)
    assert config.domain("deep").instrument == config.domain("hst").instrument


# ----------------------------------------------------------------------- faults that were found


def test_a_mistake_in_the_overlays_catalogue_names_the_overlay(problem, tmp_path):
    line = problem("catalogue: {domains: {euclid: {nun_pix: 32}}}")
    assert line.startswith(str(tmp_path / "overlay.yaml"))


def test_an_overlay_can_give_a_prior_another_kind(load):
    change = "lens: {theta_E: {dist: uniform, low: 1.0, high: 1.6}}"
    prior = load(POPULATION.format(change)).domain("euclid").population.lens.theta_E
    assert (prior.dist, prior.low, prior.high) == ("uniform", 1.0, 1.6)


def test_the_remedy_for_a_count_in_text_is_a_whole_number(problem):
    assert "write 10000" in problem("simulation: {n_train: 1e4}")


def test_a_wrong_distribution_is_shown_as_found(problem):
    assert "gauss" in problem(POPULATION.format("lens: {theta_E: {dist: gauss}}"))


def test_an_unknown_domain_of_a_pair_is_one_line_about_the_pair(problem):
    line = problem("adaptation: {pairs: [{source: euclid, target: lsst}]}")
    assert "adaptation.pairs[0].target = 'lsst'" in line


# ----------------------------------------------------- pinned instruments beside lenstronomy's own


class InstrumentDrift(UserWarning):
    """An instrument that is pinned here has other values in the installed lenstronomy."""


def report_drift(name: str, pinned: Instrument, installed: Mapping[str, Any]) -> int:
    """Warn of every value that differs; returns how many were compared."""
    names = {
        **{n: n for n in ("pixel_scale", "exposure_time", "num_exposures", "read_noise")},
        **{n: n for n in ("sky_brightness", "magnitude_zero_point")},
        "psf_fwhm": "seeing",
    }
    for ours, theirs in names.items():
        found, expected = getattr(pinned, ours), installed[theirs]
        if found != expected:
            text = f"{name}.{ours} is pinned to {found}, lenstronomy has {expected}"
            warnings.warn(text, InstrumentDrift, stacklevel=2)
    return len(names)


INSTALLED = {
    "euclid_vis": lambda: Euclid(band="VIS"),
    "euclid_vis_2021": lambda: Euclid(band="VIS"),
    "hst_f160w": lambda: HST(band="WFC3_F160W"),
    "hst_f160w_narrow": lambda: HST(band="WFC3_F160W"),
    "roman_f129": lambda: Roman(band="F129"),
    "jwst_f115w": lambda: JWST(band="F115W"),
    "lsst_i": lambda: LSST(band="i"),
}


def shipped_instrument(name: str) -> Instrument:
    file = CONFIG_DIR / "catalogue" / "instruments" / f"{name}.yaml"
    return Instrument.model_validate(read_yaml(file))


# Shown in the summary of warnings, where an error would stop the work: the pinned values stand.
@pytest.mark.filterwarnings("always:.* is pinned to .*, lenstronomy has .*:UserWarning")
@pytest.mark.parametrize("name", list(INSTALLED))
def test_drift_of_pinned_instruments_is_reported(name):
    compared = report_drift(name, shipped_instrument(name), INSTALLED[name]().kwargs_single_band())
    assert compared == 7  # every number that lenstronomy knows of; it fails when one is renamed


def test_drift_is_noticed_value_by_value():
    pinned = shipped_instrument("euclid_vis")
    same = pinned.model_dump() | {"seeing": pinned.psf_fwhm}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        report_drift("euclid_vis", pinned, same)
    assert caught == []
    with pytest.warns(InstrumentDrift, match="read_noise is pinned to 4.2, lenstronomy has 9"):
        report_drift("euclid_vis", pinned, same | {"read_noise": 9.0})


@pytest.mark.parametrize("name", sorted(INSTALLED))
def test_pinned_instruments_keep_their_values(name):
    """The numbers written a second time: images of other values are other data."""
    expected = {
        "euclid_vis": (0.101, 566.0, 4, 4.2, 22.3, 25.72, 0.16),
        "euclid_vis_2021": (0.101, 565.0, 4, 4.2, 22.35, 24.0, 0.16),
        "hst_f160w": (0.08, 5400.0, 1, 4.0, 22.3, 25.96, 0.15),
        "hst_f160w_narrow": (0.08, 5400.0, 1, 4.0, 22.3, 25.96, 0.08),
        "roman_f129": (0.11, 107.0, 6, 8.5, 22.99, 26.353, 0.106),
        "jwst_f115w": (0.031, 257.0, 8, 15.77, 22.5, 28.02, 0.04),
        "lsst_i": (0.2, 15.0, 460, 10.0, 20.48, 27.79, 0.71),
    }[name]
    i = shipped_instrument(name)
    found = (i.pixel_scale, i.exposure_time, i.num_exposures, i.read_noise)
    assert (*found, i.sky_brightness, i.magnitude_zero_point, i.psf_fwhm) == expected
