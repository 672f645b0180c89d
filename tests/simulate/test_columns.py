"""Names of the kernel's columns and the constants of their places."""

import pytest

from lensml.simulate import columns


@pytest.mark.parametrize("names", ["MACRO_COLUMNS", "LINE_COLUMNS", "HALO_COLUMNS"])
def test_every_constant_is_the_place_of_its_name(names):
    for place, name in enumerate(getattr(columns, names)):
        assert getattr(columns, name.upper()) == place


def test_no_two_tables_share_a_name():
    tables = (columns.MACRO_COLUMNS, columns.LINE_COLUMNS, columns.HALO_COLUMNS)
    names = [name for table in tables for name in table]
    assert len(names) == len(set(names))
