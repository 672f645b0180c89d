"""What the workflow plans is what was recorded, so that a change of a plan is seen."""

import json

import pytest
from toy import golden_plans as golden

pytestmark = [pytest.mark.workflow, pytest.mark.slow]


@pytest.mark.parametrize("case", golden.CASES)
def test_the_same_jobs_with_the_same_files_are_planned(case):
    recorded = json.loads(golden.RECORD.read_text(encoding="utf-8"))
    changes = golden.differences(golden.plan_of(case), recorded[case])
    assert not changes, "\n".join([*changes, "record them anew: python tests/toy/golden_plans.py"])


def test_a_job_more_and_another_file_are_differences():
    recorded = {"a": [1, "x"], "b": [2, "y"], "c": [1, "z"]}
    plan = {"a": [1, "x"], "b": [3, "y2"], "d": [1, "z"]}
    found = golden.differences(plan, recorded)
    assert [line.split(":")[0] for line in found] == ["b", "c", "d"]
    assert golden.differences({"a": [1, "w"]}, {"a": [1, "x"]})
