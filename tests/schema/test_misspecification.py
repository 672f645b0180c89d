"""Cases of what an observer does not know: what they change, and mistakes, a line each."""

from __future__ import annotations

import pytest
from toy.configuration import load_varied

from lensml.schema import ConfigError
from lensml.schema.misspecification import Case, resolve_case, studied_domain

CONFIG = load_varied()


def resolved(**case):
    return resolve_case(Case(**case), CONFIG.domain("euclid"), CONFIG.fit)


def test_lenses_change_in_truth_and_the_psf_in_what_is_believed():
    domain = CONFIG.domain("euclid")
    case = resolved(
        population_changes={"lens": {"a3_a": 0.01}},
        psf_fwhm_factor=1.05,
        fit={"multipoles": "projected"},
    )
    assert case.truth.population.lens.a3_a == 0.01
    assert case.truth.instrument == domain.instrument
    assert case.believed.population == domain.population
    assert case.believed.instrument.psf_fwhm == pytest.approx(1.05 * domain.instrument.psf_fwhm)
    assert case.fit == CONFIG.fit.model_copy(update={"multipoles": "projected"})
    assert resolved().truth == resolved().believed == domain


def test_the_wings_of_a_psf_grow_with_it(default_config):
    domain = default_config.domain("euclid_degraded")
    case = resolve_case(Case(psf_fwhm_factor=0.9), domain, CONFIG.fit)
    wings, own = case.believed.instrument.psf_wings, domain.instrument.psf_wings
    assert wings is not None
    assert own is not None
    assert wings.fwhm == pytest.approx(0.9 * own.fwhm)
    assert wings.fraction == own.fraction


@pytest.mark.parametrize(
    ("section", "key", "problem"),
    [
        ("domain: hts", "misspecification.domain = 'hts'", "did you mean 'hst'?"),
        ("n_smooth: 1", "misspecification.n_smooth = 1", "greater than or equal to 2"),
        ("scores: [evidense]", "misspecification.scores[0] = 'evidense'", "'evidence'"),
        ("cases: {as_known: null}", "misspecification.cases", "must hold 'as_known: {}'"),
        ("cases: {a: {psf: 1.1}}", "misspecification.cases.a.psf = 1.1", "unknown key"),
        ("cases: {a: {psf_fwhm_factor: 5.0}}", "cases.a.psf_fwhm_factor = 5.0", "0.5 and 2"),
        (
            "cases: {a: {population_changes: {lens: {a5_a: 0.1}}}}",
            "misspecification.cases.a.population_changes: lens.a5_a = 0.1",
            "did you mean 'a4_a'?",
        ),
        (
            "cases: {a: {population_changes: {lens: {center_x: 8.0}}}}",
            "misspecification.cases.a.population_changes",
            "half of the field",
        ),
        (
            "cases: {a: {fit: {multipoles: some}}}",
            "misspecification.cases.a.fit: multipoles = 'some'",
            "'none', 'projected' or 'fitted'",
        ),
        (
            "cases: {a: {fit: {potential: null}}}",
            "misspecification.cases.a.fit.potential",
            "misspecification.scores lists evidence",
        ),
    ],
)
def test_a_mistake_is_one_line(tmp_path, section, key, problem):
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(f"misspecification: {{{section}}}")
    with pytest.raises(ConfigError) as caught:
        load_varied(overlay)
    (line,) = caught.value.lines
    assert line.startswith(f"{overlay}: ")
    assert key in line
    assert problem in line


def test_a_named_domain_must_be_one_that_can_be_fitted(tmp_path):
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("domains: [euclid, hst, model_iv]\nmisspecification: {domain: model_iv}")
    with pytest.raises(ConfigError) as caught:
        load_varied(overlay)
    (line,) = caught.value.lines
    assert "misspecification.domain = 'model_iv': its sources are observed galaxies" in line


def test_otherwise_the_first_that_can_be_is_taken(tmp_path):
    assert studied_domain(CONFIG) == "euclid"
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("domains: [model_iv, euclid, hst]\ntasks: [classification]")
    assert studied_domain(load_varied(overlay)) == "euclid"
