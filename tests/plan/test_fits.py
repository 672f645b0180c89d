"""Which images a plain run fits."""

from __future__ import annotations

from lensml import plan


def test_the_table_of_fits_is_of_the_domains_that_a_plain_run_fits(config):
    images_alone = config(anomaly={"smooth_fit": False})
    assert plan.Fits(images_alone).domains() == []
    assert not any("fits" in table for table in plan.Results(images_alone).tables())
    detectors = config(anomaly={"smooth_fit": True})
    assert plan.Fits(detectors).domains() == ["euclid"]
    residuals = config(network_input={"channels": ["image", "residual"]})
    assert plan.Fits(residuals).domains() == ["euclid", "hst"]
    rows = plan.Fits(residuals).rows()
    assert len(rows) == 2 * 3
    assert all(row["fits"] == row["images"].replace("datasets", "fits") for row in rows)
    assert plan.Results(residuals).at.table("fits")[0] in plan.Results(residuals).tables()
