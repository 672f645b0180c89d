"""A table that grows by batches: nothing half-written, and no image twice."""

from __future__ import annotations

import pandas as pd
import pytest

from lensml.evaluation.prediction.record import Record

COLUMNS = ["image", "p"]


def rows(*names: str) -> pd.DataFrame:
    return pd.DataFrame({"p": [0.5] * len(names), "image": names})


@pytest.fixture
def output(tmp_path):
    return tmp_path / "below" / "out.csv"


def test_nothing_is_there_before_the_table_is_whole(output):
    record = Record(output, COLUMNS, ["a"])
    record.add(rows("a", "b"))
    assert not output.exists()
    record.finish()
    assert pd.read_csv(output)["image"].tolist() == ["a", "b"]
    assert list(output.parent.iterdir()) == [output]


def test_a_stopped_run_goes_on_after_its_last_whole_row(output):
    record = Record(output, COLUMNS, ["a"])
    record.add(rows("a", "b", 'with "signs", and commas'))
    with record.partial.open("a") as stream:
        stream.write("half")
    again = Record(output, COLUMNS, ["a"])
    assert again.done == {"a", "b", 'with "signs", and commas'}
    again.add(rows("c"))
    again.finish()
    found = pd.read_csv(output)
    assert found["image"].tolist() == ["a", "b", 'with "signs", and commas', "c"]
    assert found["p"].tolist() == [0.5] * 4


def test_rows_of_another_run_are_not_taken_up(output):
    Record(output, COLUMNS, ["a"]).add(rows("a"))
    assert Record(output, COLUMNS, ["b"]).done == set()
    assert Record(output, [*COLUMNS, "q"], ["a"]).done == set()


def test_a_table_of_no_rows_is_written(output):
    record = Record(output, COLUMNS, [])
    record.add(rows())
    record.finish()
    assert pd.read_csv(output).empty


def test_what_is_said_of_all_rows_together_is_written_at_the_end(output):
    columns = ["image", "verdict", "p", "reason"]
    record = Record(output, columns, ["a"])
    texts = {"image": ["NA", "001"], "verdict": ["within", "outside"], "reason": ["", "a, b"]}
    record.add(pd.DataFrame({**texts, "p": [0.25, None]}))

    def change(table):
        assert table["image"].tolist() == ["NA", "001"]
        assert table["p"].isna().tolist() == [False, True]
        return table.assign(p=table["p"] / 2)

    record.finish(change)
    assert output.read_text() == (
        'image,verdict,p,reason\nNA,within,0.125,\n001,outside,,"a, b"\n'
    )
    assert list(output.parent.iterdir()) == [output]
