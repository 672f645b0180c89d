"""The catalogue: mistakes in it, changes of it, and what is added to it."""

from __future__ import annotations

import pytest
from toy.configuration import CATALOGUE, configured, load_varied

from lensml.simulate.systems import draw_systems

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
    "exponent in quotes": ("vortex: {mass: '3e10'}", "vortex.mass = '3e10'", "write 3.0e10"),
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
        "of a normal of mean (1.3) and std (0.1) 0 lies in [low, high] = [9.0, 10.0]",
    ),
    "unknown shape": (
        "source: {position: {shape: circle}}",
        "source.position.shape = 'circle'",
        "should be 'disc', 'disc_theta_E', 'annulus' or 'square'",
    ),
    "unknown profile": (
        "vortex: {profile: ring}",
        "vortex.profile = 'ring'",
        "should be 'points' or 'line'",
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
    "masses the wrong way round": (
        "cdm: {m_min: 1.0e+11}",
        "cdm.m_min = 100000000000.0",
        "must be below m_max (1e+10)",
    ),
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
    "a source without a shape": ("source: {n_sersic: 0.0}", "source", "between 0.25 and 12"),
    "a median outside": (
        "source: {R_sersic: {dist: log_normal, median: 1.0, std_dex: 0.1, low: 0.1, high: 0.5}}",
        "source.R_sersic",
        "must lie between low and high",
    ),
    "source before the lens": ("z_source: 0.3", "z_source = 0.3", "must exceed z_lens (0.5)"),
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
        (
            "{instrument: euclid_viss}",
            "instrument = 'euclid_viss': is not among the instruments of the catalogue",
        ),
        (
            "{population: mine}",
            "population = 'mine': is not among the populations of the catalogue; known are",
        ),
        ("{num_pix: 4}", "num_pix = 4: should be greater than or equal to 8"),
        ("{supersampling_factor: 0}", "supersampling_factor = 0: should be greater than or"),
        ("{nun_pix: 32}", "nun_pix = 32: unknown key; did you mean 'num_pix'?"),
    ],
)
def test_a_mistake_in_a_domain_is_one_line(problem, change, rule):
    assert rule in problem(f"catalogue: {{domains: {{euclid: {change}}}}}")


def test_the_configuration_changes_an_instrument_of_the_catalogue(load):
    config = load("catalogue: {instruments: {hst_f160w: {psf_fwhm: 0.18}}}")
    shipped = load_varied()
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
    for file in CATALOGUE.rglob("*.yaml"):
        target = catalogue / file.relative_to(CATALOGUE)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    text = (catalogue / "domains" / "hst.yaml").read_text(encoding="utf-8")
    (catalogue / "domains" / "deep.yaml").write_text(text, encoding="utf-8")
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("domains: [euclid, hst, deep]")
    config = load_varied(overlay, catalogue_dir=catalogue)
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
    assert "write 10000" in problem("simulation: {n_train: '1e4'}")


def test_a_wrong_distribution_is_shown_as_found(problem):
    assert "gauss" in problem(POPULATION.format("lens: {theta_E: {dist: gauss}}"))


def test_an_unknown_domain_of_a_pair_is_one_line_about_the_pair(problem):
    line = problem("adaptation: {pairs: [{source: euclid, target: lsst}]}")
    assert "adaptation.pairs[0].target = 'lsst'" in line


def test_every_shipped_domain_has_a_label_of_its_own(default_config):
    labels = default_config.labels
    assert set(default_config.domains) <= set(labels)
    assert len(set(labels.values())) == len(labels)
    assert not [name for name, label in labels.items() if label == name]


def test_a_domain_without_label_is_called_by_its_name():
    mine = {"description": "Mine", "instrument": "euclid_vis", "population": "deeplense_varied"}
    mine |= {"num_pix": 64, "supersampling_factor": 3}
    changes = {"domains": ["euclid", "hst", "mine"], "catalogue": {"domains": {"mine": mine}}}
    assert configured(changes).labels["mine"] == "mine"
