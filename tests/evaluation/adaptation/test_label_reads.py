"""The table of who read labels of a target, and when."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pandas as pd
import pytest

from lensml.commands.ending import headlines
from lensml.evaluation.adaptation.label_reads import tabulate_label_reads
from lensml.plan.label_reads import READINGS

PAIR = {"source_domain": "euclid", "target_domain": "hst", "model": "vit"}
WRITTEN = 1.7e9  # 2023-11-14, 22:13:20 UTC


@pytest.fixture
def reads(tmp_path: Path) -> list[dict]:
    rows = []
    for k, (job, method) in enumerate(
        [("predict_adapted", "adda"), ("predict_adapted", "coral"), ("train_oracle", "oracle")]
    ):
        file = tmp_path / f"{method}.csv"
        file.write_text("label\n")
        os.utime(file, (WRITTEN + k, WRITTEN + k))
        told = {"job": job, "method": method, "seed": 0, **READINGS[job]._asdict()}
        rows.append({**PAIR, **told, "file": str(file)})
    return rows


def made(reads: list[dict], folder: Path) -> list[Path]:
    outputs = [folder / f"label_reads_adaptation.{ending}" for ending in ("csv", "md")]
    run = folder / "label_reads_adaptation_run.json"
    tabulate_label_reads(reads, list(map(str, outputs)), str(run))
    return [*outputs, run]


def test_every_job_has_its_row_and_its_time(reads, tmp_path: Path):
    csv, md, run = made(reads, tmp_path / "tables")
    table = pd.read_csv(csv)
    assert table["method"].tolist() == ["adda", "coral", "oracle"]
    assert table["file"].tolist() == [row["file"] for row in reads]
    written = json.loads(run.read_text())["written"]
    assert written[reads[2]["file"]] == "2023-11-14T22:13:22+00:00"
    lines = [line for line in md.read_text().splitlines() if "euclid" in line]
    assert "| predict_adapted | test | evaluation after the fact | adda, coral | 2 |" in lines[0]
    assert "| train and val | training of the oracle | oracle | 1 |" in lines[1]
    assert run.name in md.read_text()


def test_the_table_is_the_same_whenever_the_jobs_ran(reads, tmp_path: Path):
    before = [path.read_bytes() for path in made(reads, tmp_path / "a")]
    os.utime(reads[0]["file"])
    after = [path.read_bytes() for path in made(reads, tmp_path / "b")]
    assert before[:2] == after[:2]
    assert before[2] != after[2]


def test_a_file_that_is_not_there_is_named_and_nothing_is_written(reads, tmp_path: Path):
    Path(reads[1]["file"]).unlink()
    with pytest.raises(FileNotFoundError, match=r"coral\.csv"):
        made(reads, tmp_path / "tables")
    assert not (tmp_path / "tables").exists()


def test_the_first_page_of_the_report_tells_of_them(reads, tmp_path: Path):
    made(reads, tmp_path / "tables")
    (line,) = headlines(tmp_path)
    assert line == (
        "labels of hst were read for (jobs): evaluation after the fact (2), training of the "
        "oracle (1)"
    )
