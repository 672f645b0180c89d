"""Which files observed lenses ask for."""

import pytest
from toy.configuration import configured

from lensml import plan
from lensml.plan.observed import key_of

LENSES = {"SLACS J0946+1006": {"image": "a.fits"}, "slacs j0946 1006": {"image": "b.fits"}}


def test_lenses_of_like_names_have_files_of_their_own():
    keys = list(plan.Observed(configured({"observed": {"lenses": LENSES}})).lenses)
    assert len(set(keys)) == 2
    assert all(key.startswith("slacs_j0946_1006_") for key in keys)


@pytest.mark.parametrize("name", ["../../x", "日本", "a b/c", "x" * 64, "."])
def test_any_name_gives_a_name_of_a_file(name):
    key = key_of(name)
    assert key == key.strip()
    assert key.replace("_", "").isascii()
    assert key.replace("_", "").isalnum()
    assert len(key) < 40


def test_models_are_asked_for_by_lens():
    observed = plan.Observed(configured({"observed": {"lenses": LENSES}}))
    assert len(observed.models()) == 2
    assert len(observed.model_results()) == 4 + 2 * 2


def test_without_lenses_there_is_nothing_to_model():
    with pytest.raises(ValueError, match=r"observed\.lenses: is empty"):
        plan.Observed(configured({})).model_results()


def test_networks_that_see_fits_score_no_cutouts():
    fitted = {"network_input": {"channels": ["image", "residual"]}}
    observed = plan.Observed(configured({"observed": {"lenses": LENSES}, **fitted}))
    with pytest.raises(ValueError, match="cut-outs are not fitted"):
        observed.scored()
