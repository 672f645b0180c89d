"""Where results lie in storage."""

from __future__ import annotations

from types import SimpleNamespace

import pytest


def test_a_job_in_storage_does_not_write_into_results_that_are_in_the_way(tmp_path, monkeypatch):
    from lensml.workflow import _localise

    monkeypatch.chdir(tmp_path)
    (tmp_path / "results").mkdir()
    given = SimpleNamespace(output=[".snakemake/storage/s3/bucket/results/a.csv"], input=[])
    with pytest.raises(OSError, match="in the way"):
        _localise(given)
