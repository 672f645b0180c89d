"""What the plan of adaptation asks for beside its rows."""

from __future__ import annotations

import pytest

from lensml import plan


@pytest.mark.parametrize(
    ("changes", "asked"),
    [
        ({}, True),
        ({"pairs": []}, False),
        ({"methods": ["adabn", "coral"]}, False),  # of a network no stage is there
        ({"methods": ["oracle"]}, True),
    ],
)
def test_the_figure_of_every_pair_is_planned_where_it_has_something_to_show(
    config, changes, asked
):
    assert ("adaptation/pairs" in plan.Adaptation(config(adaptation=changes)).figures()) == asked
