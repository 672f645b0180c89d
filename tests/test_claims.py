"""Every number that the guides quote is that of a table in docs/results."""

from __future__ import annotations

import re

import pytest
from toy import claims

CLAIMS = claims.claims()


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.text[:60])
def test_a_quoted_number_is_the_records(claim):
    assert claims.wrong(claim, claims.document(claim.document)) == []


@pytest.mark.parametrize("name", claims.documents())
def test_no_number_is_quoted_without_a_record(name):
    assert claims.unclaimed(name, claims.document(name)) == []


def test_what_is_given_stands_in_the_guides():
    for name, texts in claims.given().items():
        assert [t for t in texts if claims.prose_of(t) not in claims.document(name)] == []


@pytest.mark.parametrize("path", claims.tables_to_read(), ids=lambda path: path.stem)
def test_a_table_to_read_is_the_table_of_its_metrics(path):
    cells, wrong = claims.cells_of(path)
    assert cells >= 5
    assert wrong == []


def test_a_number_that_is_off_by_its_last_digit_is_found():
    quoted = 0
    for claim in CLAIMS:
        prose = claims.document(claim.document)
        (found,) = claim.found_in(prose)
        for k, number in enumerate(found.groups(), start=1):
            if number is None:
                continue
            digit = "1" if number[-1] != "1" else "2"
            changed = prose[: found.end(k) - 1] + digit + prose[found.end(k) :]
            assert claims.wrong(claim, changed), number
            quoted += 1
    assert quoted > 300


def test_a_number_of_which_nothing_is_said_is_found():
    prose = claims.document("README.md")
    added = re.sub("## What comes out", "## What comes out It reaches 0.9432.", prose)
    (found,) = claims.unclaimed("README.md", added)
    assert "It reaches 0.9432" in found
