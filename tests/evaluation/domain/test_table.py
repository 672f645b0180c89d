"""The table of verdicts."""

from __future__ import annotations

import pandas as pd
import pytest
from toy.fits import fit_spec

from lensml.evaluation.domain import table as module
from lensml.evaluation.domain.corruptions import CORRUPTIONS
from lensml.schema.training import Evaluation

pytestmark = pytest.mark.slow


def test_own_images_and_others_have_a_row_each(default_config, seen_domain, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "N_TEST", 20)
    monkeypatch.setattr(module, "N_CORRUPTED", 12)
    monkeypatch.setattr(module, "N_SETS", 2)
    monkeypatch.setattr(module, "SIZE", 35)
    outputs = [str(tmp_path / f"verdicts.{end}") for end in ("csv", "md", "html", "tex")]
    spec: Evaluation = default_config.evaluation
    module.tabulate_verdicts(
        [seen_domain.model_dump(mode="json")],
        outputs,
        spec,
        fit=fit_spec(n_reference=200).model_dump(),
        classes=["no_sub", "cdm"],
        folder=str(tmp_path / "verdict"),
        seed=1,
    )
    table = pd.read_csv(outputs[0]).set_index(["images", "of"])
    share = table.loc[table["metric"] == "share_refused", "value"]
    assert set(share.index.get_level_values(0)) == {
        "test images",
        *CORRUPTIONS,
        "psf_0.7",
        "psf_1.5",
    }
    assert share[("test images", "no_sub")] <= 0.2
    assert (share.loc[list(CORRUPTIONS)] >= 0.9).all()
    assert share[("test images", "sets")] == 0
    assert ("psf_1.5", "sets") in share.index
    assert "cannot be told from another source" in (tmp_path / "verdicts.md").read_text()
