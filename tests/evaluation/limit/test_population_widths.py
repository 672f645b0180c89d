"""The upper bound knows of lens and source what the population says of them."""

from __future__ import annotations

import pytest

from lensml.evaluation.limit.bounds import pair_rows
from lensml.evaluation.limit.lenses import simulate_lenses

CLASSES = ["no_sub", "cdm"]
# As recomputed by a referee with the population's widths and the cell's flux known. With widths
# of one third of an Einstein radius, and a flux that may be anything: 0.943, 0.805, 0.660.
REFEREE = {22.0: 0.963, 23.0: 0.835, 24.0: 0.683}


@pytest.mark.slow
def test_the_bound_of_lsst_is_that_of_the_populations_widths(default_config, domain):
    population = {"cdm": {"f_sub": 0.01}, "source": {"magnitude": 22.0}}
    camera = domain("lsst_realistic", supersampling_factor=3, population=population)
    few = {"n_bank_systems": 2, "n_templates": 2, "n_draws": 2}
    spec = default_config.limit.model_copy(update=few)
    given = {"classes": CLASSES, "seed": default_config.seed}
    lenses = simulate_lenses(camera, spec=spec, **given)
    assert lenses.jacobian.shape[-1] == 14 == len(lenses.width)  # no flux
    for magnitude, expected in REFEREE.items():
        flux = 10 ** (-0.4 * (magnitude - 22))
        (row,) = pair_rows(lenses, flux, evaluation=default_config.evaluation, **given)
        # 100 systems of another seed: the interval is +- 0.012 to 0.028
        assert row["auc_pooled"] == pytest.approx(expected, abs=0.0125)
