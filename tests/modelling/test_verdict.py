"""What may be said of a modelled lens, and what speaks against it."""

from copy import copy
from dataclasses import replace

import numpy as np
import pytest
from toy.modelled import MASS, RINGS, SOURCE, lens_field, task_of

from lensml.data.observed import UnusableImageError
from lensml.modelling.lens import Candidate, LensModel, arc_radius
from lensml.modelling.pixel_source import PixelSource
from lensml.modelling.sersic import SersicLens
from lensml.modelling.verdict import adequacy, facts_of, reasons_against, statement_of


@pytest.fixture(scope="module")
def lens():
    task = task_of(lens_field())
    field, light = task.field, task.light
    options = {"m": 24, "multipoles": True, "expected": light.image, "box": 0.5}
    model = PixelSource(task, MASS, SOURCE, **options).fit(6)
    sersic = SersicLens(MASS[:8], SOURCE, 1.0, model.arcs, light.image)
    candidates = [Candidate("sersic", model, arc_radius(model))]
    return LensModel(field, light, RINGS, sersic, candidates, ~field.known)


def test_a_good_lens_has_nothing_against_it(lens):
    facts = facts_of(lens)
    assert reasons_against(lens, facts) == []
    assert statement_of(lens, facts) == "a lens; smooth model adequate"
    assert facts.peak > 20
    assert facts.matched > 100
    assert 0.95 < facts.explained <= 1
    assert facts.negative < 0.1
    value, error = lens.parameters["theta_E"]
    assert abs(value - MASS[0]) < 0.02
    assert 0 < error < 0.02


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"peak": 2.0}, "no arc: brightest pixel at S/N 2.0"),
        ({"matched": 12.0}, "no arc: S/N 12 in all"),
        ({"gain": 0.05}, "a source gains 0.05 of ln evidence a pixel"),
        ({"negative": 0.55}, "55% of the source's light is below 0"),
        ({"reach": 0.9}, "the cut-out ends at 0.90 theta_E"),
        ({"opposite": 4.0}, "S/N 4 opposite the brightest arc"),
        ({"gap": 3.0}, "another solution is as probable (ln evidence 3 less)"),
    ],
)
def test_each_fact_can_speak_against_it(lens, changed, reason):
    facts = replace(facts_of(lens), **changed)
    assert reasons_against(lens, facts) == [reason]
    assert statement_of(lens, facts) == f"not said to be a lens: {reason}"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({6: 0.26, 7: 0.1}, "shear of 0.28"),
        ({2: 0.52, 3: 0.0}, "ellipticity of 0.52"),
        ({1: 2.55}, "slope gamma of 2.55"),
        ({4: 5.0}, "the mass lies off the light"),
    ],
)
def test_a_mass_that_no_galaxy_has_speaks_against_it(lens, changes, reason):
    facts, kept = facts_of(lens), lens.best.mass
    try:
        lens.best.mass = kept.copy()
        for k, value in changes.items():
            lens.best.mass[k] = value
        assert reasons_against(lens, facts) == [reason]
    finally:
        lens.best.mass = kept


def test_arcs_far_from_the_einstein_radius_are_no_lens(lens):
    candidate = replace(lens.candidates[0], arc_radius=1.8)
    (reason,) = reasons_against(replace(lens, candidates=[candidate]), facts_of(lens))
    assert reason == f"arcs lie at {facts_of(lens).arc_radius:.2f} theta_E"


@pytest.mark.parametrize(("radius", "gap"), [(1.0, 0.0), (1.8, np.inf)])
def test_only_what_could_be_a_lens_is_another_solution(lens, radius, gap):
    other = copy(lens.best)
    other.mass = lens.best.mass * np.array([0.5, *np.ones(11)])
    candidates = [lens.candidates[0], Candidate("pixels", other, radius)]
    assert facts_of(replace(lens, candidates=candidates)).gap == gap


def test_light_at_the_border_does_not_make_a_model_better(lens):
    facts = replace(facts_of(lens), chi2=1.6)
    assert adequacy(replace(facts, chi2_blank=1.0)) == "marginal"
    assert adequacy(replace(facts, chi2_blank=9.0)) == "marginal"


def test_arcs_where_nothing_was_modelled_are_no_model(lens):
    model = copy(lens.best)
    model.mass = lens.best.mass * np.array([0.05, *np.ones(11)])
    small = replace(lens, candidates=[Candidate("pixels", model, 1.0)])
    with pytest.raises(UnusableImageError, match=r"nothing is modelled about its 0\.05 arcsec"):
        facts_of(small)


def test_chi2_is_judged_against_blank_sky(lens):
    facts = replace(facts_of(lens), chi2_blank=0.5)
    words = [adequacy(replace(facts, chi2=chi2)) for chi2 in (0.7, 0.8, 1.6)]
    assert words == ["adequate", "marginal", "inadequate"]
