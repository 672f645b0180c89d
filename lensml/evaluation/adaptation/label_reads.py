"""Who read labels of a target, for what and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from lensml.data.files import write_json
from lensml.evaluation.statistics.tables import write_formats

GROUPED = ["source_domain", "target_domain", "job", "split", "purpose"]
CAPTION = (
    "Reads of labels. Every job that was given labels of a target's images, for which pair, of "
    "which images and what for; no other job of these pairs has them among its inputs. Pools "
    "without labels are made of the target's training images, whose classes are dropped there. "
    "Tables and figures are made of the files of these jobs. Each file is named in the CSV, and "
    "when it was written in {times}."
)


def tabulate_label_reads(
    reads: Sequence[Mapping[str, Any]], outputs: Sequence[str], run: str
) -> None:
    """Table of the jobs that read labels of a target, and when each wrote its file.

    The times lie in a file of their own, so that the same run has the same tables.

    Args:
        reads: rows of :meth:`lensml.plan.label_reads.LabelReads.rows`, a job each.
        outputs: the .csv, .html, .md and .tex files to write.
        run: JSON to write: of every file when it was written, UTC.

    Raises:
        OSError: a file is not there.
    """
    times = {row["file"]: _written(row["file"]) for row in reads}
    table = pd.DataFrame(reads)
    caption = CAPTION.format(times=Path(run).name)
    write_formats(outputs, table, summarised(table), caption)
    write_json(run, {"written": times})


def summarised(table: pd.DataFrame) -> pd.DataFrame:
    """A row per pair and kind of job, with the methods it was about and how many jobs it were."""
    rows = [
        {
            **{name: str(own[name].iloc[0]) for name in GROUPED},
            "methods": ", ".join(filter(None, map(str, dict.fromkeys(own["method"])))) or "–",
            "jobs": str(own["file"].nunique()),
        }
        for _, own in table.groupby(GROUPED, sort=False)
    ]
    return pd.DataFrame(rows)


def _written(file: str) -> str:
    """When a file was written, to the second."""
    when = datetime.fromtimestamp(Path(file).stat().st_mtime, UTC)
    return when.isoformat(timespec="seconds")
