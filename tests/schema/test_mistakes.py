"""One mistake is one line: file, key, value and rule."""

from __future__ import annotations

import pytest
from toy.configuration import DEFAULT, load_files

from lensml.schema import ConfigError

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
        "substructures = ['cdm', 'no_sub']",
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
    "exponent in quotes": (
        "classifier: {learning_rate: '1e-4'}",
        "classifier.learning_rate = '1e-4'",
        "is text, not a number: write 1.0e-4 without quotes",
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
        "encoders.vit.kind = 'resnet'",
        "should be 'vit_conv_stem', 'vit', 'cnn' or 'timm'",
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
        "encoders.vit.embed_dim = 96",
        "must be a multiple of num_heads (5)",
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
    "key that is a number": ("1: 2", "line 1", "key 1 is not text; put it in quotes"),
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
