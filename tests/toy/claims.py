"""Numbers that the guides quote, and the tables of ``docs/results`` that they are from.

``docs/results/claims.yaml`` says of every quoted number which rows of which table it is: the text
around it (once in the document, or the first ``after`` another text) with ``{}`` in its place, or
labels of a table's rows, and for each ``{}`` a query: the table, words that stand in the cells of
its rows (``column=word``, with ``_`` for a space, where a word alone would not do), and perhaps
``@`` and columns instead of ``value`` and its interval (``%`` behind one: times a hundred).
Several seeds are averaged. ``a minus b`` is the difference of two queries.
"""

from __future__ import annotations

import csv
import re
import statistics
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from toy.configuration import ROOT

RECORDS = ROOT / "docs" / "results"
NUMBER = r"[+-]?\d[\d,]*(?:\.\d+)?"
# value, value ± spread, value [low, high], value ± spread [low, high]
QUANTITY = rf"({NUMBER})(?: ± ({NUMBER}))?(?: \[({NUMBER}), ({NUMBER})\])?"
DECIMAL = re.compile(r"\d+\.\d+")
NO_RESULT = re.compile(r"`[^`]*`|\b\d{4}\.\d{5}\b")  # code, numbers of articles
PRINTED = 1e-6  # last digit of the tables
Row = dict[str, str]


@dataclass(frozen=True)
class Claim:
    """Text with ``{}`` for every quantity, and the queries of these."""

    document: str
    text: str
    queries: tuple[str, ...]
    after: str = ""

    @property
    def pattern(self) -> re.Pattern[str]:
        """The text with groups for the numbers of every quantity."""
        return re.compile(QUANTITY.join(map(re.escape, self.text.split("{}"))))

    def found_in(self, prose: str) -> list[re.Match[str]]:
        """Where the document says it: once, if all is well."""
        if not self.after:
            return list(self.pattern.finditer(prose))
        start = prose.find(self.after)
        found = self.pattern.search(prose, start) if start >= 0 else None
        return [found] if found else []


def claims() -> list[Claim]:
    """Every claim of the file."""
    found = []
    for document, entries in _file()["quoted"].items():
        for entry in entries:
            rows = entry.get("rows", {None: ""})
            for label, words in rows.items():
                queries = [query.replace("{row}", words) for query in entry["are"]]
                cells = "| {label} |" + " {} |" * len(queries)
                text = entry["say"] if label is None else cells.replace("{label}", label)
                found.append(Claim(document, text, tuple(queries), entry.get("after", "")))
    return found


def given() -> dict[str, list[str]]:
    """Document -> texts whose decimals are no results: priors, sizes, what others published."""
    return _file()["given"]


@cache
def _file() -> dict:
    return yaml.safe_load((RECORDS / "claims.yaml").read_text(encoding="utf-8"))


def prose_of(text: str) -> str:
    """A document without code, addresses and tables of keys, in a line, with one kind of minus."""
    text = re.sub(r"```.*?```|<!-- keys of .*?<!-- end of keys -->", " ", text, flags=re.DOTALL)
    text = re.sub(r"\]\([^)]*\)", "]", text)
    return re.sub(r"\s+", " ", text.replace("−", "-"))


def document(name: str) -> str:
    """Prose of a document of the repository."""
    return prose_of((ROOT / name).read_text(encoding="utf-8"))


@cache
def table(name: str) -> list[Row]:
    """Rows of a table of ``docs/results``, by its path there without the ending."""
    with (RECORDS / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def quantity(query: str) -> list[float | None]:
    """Value, spread, low and high that a query finds; None where there is none.

    Raises:
        LookupError: it finds no row, or rows that are not seeds of one.
    """
    if " minus " in query:
        first, second = (quantity(part)[0] for part in query.split(" minus "))
        assert first is not None
        assert second is not None
        return [first - second, None, None, None]
    what, _, columns = query.partition(" @")
    name, *words = what.split(" ")
    rows = [row for row in table(name) if all(_has(row, word) for word in words)]
    if not rows:
        raise LookupError(f"{query}: no such row")
    if columns:
        if len(rows) > 1:
            raise LookupError(f"{query}: {len(rows)} rows")
        cells = [_cell(rows[0], column) for column in columns.split(",")]
        return [*cells, None, None, None][:4] if len(cells) != 3 else [cells[0], None, *cells[1:]]
    return _of_seeds(query, rows)


def _has(row: Row, word: str) -> bool:
    column, _, value = word.rpartition("=")
    return row[column].replace(" ", "_") == value if column else value in row.values()


def _cell(row: Row, column: str) -> float:
    return 100 * float(row[column[:-1]]) if column.endswith("%") else float(row[column])


def _of_seeds(query: str, rows: list[Row]) -> list[float | None]:
    if len({row["seed"] for row in rows}) < len(rows) or len({row["metric"] for row in rows}) > 1:
        raise LookupError(f"{query}: {len(rows)} rows that are not seeds of one")
    single = [row for row in rows if row["seed"] != "all"] or rows
    together = [
        row for row in rows if row["seed"] == "all"
    ] or single  # tables of before have none
    value, low, high = ([float(r[c]) for r in together] for c in ("value", "ci_low", "ci_high"))
    spread = statistics.stdev(float(r["value"]) for r in single) if len(single) > 1 else None
    return [statistics.mean(value), spread, statistics.mean(low), statistics.mean(high)]


def agrees(quoted: str, value: float | None) -> bool:
    """Whether a number is a value rounded to the digits that it is quoted with."""
    if value is None:
        return False
    plain = quoted.replace(",", "")
    digits = len(plain.partition(".")[2])
    if "." not in plain:
        digits = -(len(plain) - len(plain.rstrip("0")))
    return abs(float(plain) - value) <= 0.5 * 10.0**-digits + PRINTED


def wrong(claim: Claim, prose: str) -> list[str]:
    """What is not so in a document, in words."""
    found = claim.found_in(prose)
    if len(found) != 1:
        return [f"{claim.document} says {len(found)} times: {claim.text}"]
    lines, numbers = [], found[0].groups()
    for k, query in enumerate(claim.queries):
        for quoted, value in zip(numbers[4 * k : 4 * k + 4], quantity(query), strict=True):
            if quoted is not None and not agrees(quoted, value):
                lines.append(f"{claim.document} says {quoted}, {query} is {value}: {claim.text}")
    return lines


def unclaimed(name: str, prose: str) -> list[str]:
    """Decimals of a document that no claim covers and that are not given, with their context."""
    covered = [m.span() for c in claims() if c.document == name for m in c.found_in(prose)]
    covered += [m.span() for m in NO_RESULT.finditer(prose)]
    for text in given().get(name, []):
        covered += [m.span() for m in re.finditer(re.escape(prose_of(text)), prose)]
    return [
        prose[max(m.start() - 60, 0) : m.end() + 30]
        for m in DECIMAL.finditer(prose)
        if not any(low <= m.start() and m.end() <= high for low, high in covered)
    ]


def documents() -> list[str]:
    """Guides in which results may be quoted."""
    names = ["README.md", "config/README.md", "CONTRIBUTING.md"]
    pages = [p for p in sorted((ROOT / "docs").rglob("*.md")) if RECORDS not in p.parents]
    return names + [path.relative_to(ROOT).as_posix() for path in pages]


def tables_to_read() -> list[Path]:
    """Tables for reading beside which the same lie as ``.csv`` with a row per metric."""
    return [
        path
        for path in sorted(RECORDS.glob("*/*.md"))
        if "metric" in path.with_suffix(".csv").read_text("utf-8").split("\n")[0].split(",")
    ]


def cells_of(path: Path) -> tuple[int, list[str]]:
    """Number of quantities in a table to read, and which of them its ``.csv`` has not."""
    lines = [line for line in path.read_text("utf-8").splitlines() if line.startswith("| ")]
    header, _, *body = [[cell.strip() for cell in line[1:-1].split("|")] for line in lines]
    rows = table(path.relative_to(RECORDS).with_suffix("").as_posix())
    metrics = {row["metric"] for row in rows}
    cells, wrong = 0, []
    for given in body:
        shown = dict(zip(header, given, strict=True))
        keys = {name: cell for name, cell in shown.items() if name in rows[0] and name != "seed"}
        found = [row for row in rows if all(row[k] == cell for k, cell in keys.items())]
        for metric in [name for name in header if name in metrics]:
            numbers = re.fullmatch(QUANTITY, shown[metric])
            if numbers is None:
                continue
            expected = _of_seeds(str(keys), [row for row in found if row["metric"] == metric])
            cells += 1
            for quoted, value in zip(numbers.groups(), expected, strict=True):
                if quoted is not None and not agrees(quoted, value):
                    wrong.append(f"{path.name} says {quoted}, {metric} of {keys} is {value}")
    return cells, wrong
