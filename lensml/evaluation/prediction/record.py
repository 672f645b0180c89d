"""Rows of predictions on their way into a table: batch by batch, so that a stopped run goes on."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from lensml.data.files import write_csv

FLOAT_FORMAT = "%.6g"
TEXTS = ("image", "verdict", "reason")  # the other columns are numbers


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

    def _table(self) -> pd.DataFrame:
        """What was added; a name such as NA is one."""
        numbers = [name for name in self.columns if name not in TEXTS]
        return pd.read_csv(
            self.partial,
            dtype=dict.fromkeys(TEXTS, str),
            keep_default_na=False,
            na_values={name: [""] for name in numbers},
        )

    def finish(self, change: Callable[[pd.DataFrame], pd.DataFrame] | None = None) -> None:
        """The table is whole.

        Args:
            change: of all of it, where what is said of a row depends on the others.
        """
        if not self.partial.is_file():
            self.add(pd.DataFrame(columns=self.columns))
        if change is not None:
            write_csv(self.output, change(self._table())[self.columns], float_format=FLOAT_FORMAT)
            self.partial.unlink()
            return
        self.partial.replace(self.output)
