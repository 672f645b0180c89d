"""What the gate says below the table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lensml.data.files import write_json
from lensml.evaluation.adaptation.gate import gate_notes, start_notes

ADDA = {"method": "adda", "source_domain": "a", "target_domain": "b", "model": "vit"}


def run_of(folder: Path, seed: int, before: float, after: float) -> dict[str, Any]:
    files = [folder / f"{seed}_{name}.json" for name in ("start", "adda")]
    for file, im in zip(files, (before, after), strict=True):
        write_json(file, {"im_target": im, "im_source": 1.0})
    return {**ADDA, "seed": seed, "criteria": [str(file) for file in files]}


def test_seeds_are_told_together_and_refused_ones_by_number(tmp_path):
    runs = [run_of(tmp_path, 0, 0.9, 0.88), run_of(tmp_path, 1, 0.8, 0.76), {**ADDA, "seed": 2}]
    (note,) = gate_notes(runs, 0.03)
    assert "of adda, a to b, vit, it refuses seeds 1:" in note
    assert "from 0.850 to 0.820 in the mean and may fall by 0.03" in note
    (note,) = gate_notes(runs, 0.05)
    assert "keeps every seed" in note


def test_of_what_was_not_measured_nothing_is_told():
    assert gate_notes([{**ADDA, "seed": 0}], 0.03) == []


def started(folder: Path, seed: int, on_source: float, on_pool: float) -> dict[str, Any]:
    files = [folder / f"{seed}_{name}.json" for name in ("plain", "harmonised")]
    for file, im in zip(files, (on_pool, 0.95), strict=True):
        write_json(file, {"im_target": im, "im_source": on_source})
    return {**ADDA, "method": "source_harmonised", "seed": seed, "starts": list(map(str, files))}


def test_of_each_pair_it_is_told_where_one_would_start_without_a_label(tmp_path):
    runs = [started(tmp_path, 0, 0.9, 0.3), started(tmp_path, 1, 0.8, 0.82), {**ADDA, "seed": 0}]
    (note,) = start_notes(runs)  # by the means over seeds: 0.56 and 0.85
    assert note.startswith("Start: cameras of a to b, vit, would without a label be harmonised: ")
    assert "is 0.560 on the target's pool, below the 0.850 on source images" in note
    assert "that of source_harmonised is 0.950 on its own" in note
    (note,) = start_notes([started(tmp_path, 0, 0.6, 0.7)])
    assert "left as they are: " in note
    assert start_notes([{**ADDA, "seed": 0}]) == []
