"""What the study of misbelieving fits asks for."""

from __future__ import annotations

from toy.configuration import configured

from lensml import plan
from lensml.plan.layout import filled

NO_POTENTIAL = {"fit": {"potential": None}}


def test_there_is_a_row_per_case_and_score_and_a_job_per_case():
    study = plan.Misspecification(configured({}))
    rows = study.rows()
    assert study.domain == "euclid"
    assert len(rows) == len(study.cases) * len(study.scores)
    assert rows[0]["path"] == "results/misspecification/as_known/test/evidence.csv"
    patterns = [pattern for kind in study.outputs.values() for pattern in kind]
    made = {filled(p, variant=case) for p in patterns for case in study.cases}
    assert set(study.files()) == made
    assert study.results()


def test_scores_of_the_filter_need_one():
    study = plan.Misspecification(configured(NO_POTENTIAL))
    assert study.sample["scores"] == study.scores == ["arc_low_1", "chi2"]
    asked = {"misspecification": {"scores": ["evidence"]}}
    assert not plan.Misspecification(configured(NO_POTENTIAL | asked)).results()
