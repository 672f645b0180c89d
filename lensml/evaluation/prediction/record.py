"""Rows of predictions on their way into a table: batch by batch, so that a stopped run goes on."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

FLOAT_FORMAT = "%.6g"


class Record:
    """A table that grows by batches beside where it will lie, and is moved there when whole."""

    def __init__(
        self, output: str | Path, columns: Sequence[str], about: Sequence[object]
    ) -> None:
        """Take up what an earlier run of the same settings left.

        Args:
            output: .csv to write.
            columns: of the table.
            about: what its rows depend on beside the images: another run's rows are not taken up.
        """
        self.output, self.columns = Path(output), list(columns)
        digest = hashlib.sha256(repr([*about, columns]).encode()).hexdigest()[:12]
        self.partial = self.output.with_name(f".{self.output.name}.{digest}.partial")
        self.done = self._done()

    def _done(self) -> set[str]:
        """Images of whole lines, to which the file is cut back."""
        if not self.partial.is_file():
            return set()
        with self.partial.open(newline="", encoding="utf-8") as stream:
            rows = [row for row in csv.reader(stream) if len(row) == len(self.columns)]
        if not rows or rows[0] != self.columns:
            self.partial.unlink()
            return set()
        whole = pd.DataFrame(rows[1:], columns=self.columns)
        whole.to_csv(self.partial, index=False)
        return set(whole["image"])

    def add(self, table: pd.DataFrame) -> None:
        """Append the rows of a batch."""
        self.output.parent.mkdir(parents=True, exist_ok=True)
        new = not self.partial.is_file()
        table[self.columns].to_csv(
            self.partial, mode="a", header=new, index=False, float_format=FLOAT_FORMAT
        )

    def finish(self) -> None:
        """The table is whole."""
        if not self.partial.is_file():
            self.add(pd.DataFrame(columns=self.columns))
        self.partial.replace(self.output)
