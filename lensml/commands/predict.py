"""``lensml predict``: what a run's classifiers say of images, and of which they cannot."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from lensml.evaluation.prediction.predictor import predict_into


def report(
    run: Path,
    images: Sequence[str],
    output: Path,
    *,
    background_rms: float | None,
    exposure_time: float | None,
    array: str | None = None,
    as_a_set: bool = True,
) -> int:
    """Write the table, and print how many images were within the domain; the exit status.

    Returns:
        0; 1 where nothing could be predicted or an image could not be used.
    """
    noise = {"background_rms": background_rms, "exposure_time": exposure_time}
    try:
        counts = predict_into(output, run, images, array=array, as_a_set=as_a_set, **noise)
    except (OSError, ValueError) as error:
        print(f"lensml predict: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("lensml predict: stopped; the same command goes on", file=sys.stderr)
        return 130
    told = ", ".join(f"{n} {verdict}" for verdict, n in counts.items())
    print(f"{output}: {sum(counts.values())} images, {told}")
    return int(counts["unusable"] > 0)
