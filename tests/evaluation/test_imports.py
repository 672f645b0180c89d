"""What jobs without a network import."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.usefixtures("one_torch_thread")


def test_jobs_without_a_network_start_without_torch():
    # Its import takes longer than what these jobs do.
    code = """
import sys
import lensml.evaluation.audit.domain, lensml.evaluation.classification.baselines
import lensml.evaluation.gallery, lensml.evaluation.statistics.tables
import lensml.simulate.dataset, lensml.figures, lensml.workflow
print(sorted({"torch", "timm"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
