"""What the gate says below the table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lensml.data.files import write_json
from lensml.evaluation.adaptation.gate import gate_notes

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
