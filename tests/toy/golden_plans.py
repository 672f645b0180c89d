"""Plans of the workflow in short: of every rule the number of jobs, and a hash of their files.

``python tests/toy/golden_plans.py`` records them anew.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RECORD = Path(__file__).with_suffix(".json")
SIDE_TARGETS = (
    *("transfer", "limit", "network_limit", "attribution", "pretraining", "sweep", "zoo"),
    *("ablation", "scaling", "search", "export", "model_cards", "observed", "benchmark"),
    "misspecification",
)
# Name -> targets, overlays.
CASES = {
    "default": (("all", *SIDE_TARGETS), ()),
    "smoke": (("all", *SIDE_TARGETS), ("smoke",)),
    "paper": (("all",), ("paper",)),
    "pairs": (("all",), ("pairs",)),
    "development": (("development",), ("development",)),
}
JOB = re.compile(r"\n(?=\[[A-Z][a-z]{2} [A-Z][a-z]{2} )")
Plan = dict[str, list]  # rule -> number of jobs, hash


def jobs_of(name: str) -> list[tuple[str, list[str], list[str]]]:
    """Rule, inputs and outputs of every job of a case; code of lensml is no input here."""
    return jobs_asked(*CASES[name])


def jobs_asked(
    targets: tuple[str, ...], overlays: tuple[str, ...]
) -> list[tuple[str, list[str], list[str]]]:
    """The same of targets of the shipped configuration with overlays of it."""
    files = [str(ROOT / "config" / f"{overlay}.yaml") for overlay in overlays]
    command = [sys.executable, "-m", "snakemake", "-n", "-F", *targets]
    command += ["-s", str(ROOT / "Snakefile"), *(["--configfile", *files] if files else [])]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    text = done.stdout + done.stderr
    assert done.returncode == 0, text[-2000:]
    found = []
    for block in JOB.split(text):
        if rule := re.search(r"^(?:local)?rule (\w+):$", block, re.MULTILINE):
            fields = dict(re.findall(r"^    (input|output): (.*)$", block, re.MULTILINE))
            inputs = [f for f in fields.get("input", "").split(", ") if "/lensml/" not in f]
            found.append((rule[1], sorted(inputs), fields.get("output", "").split(", ")))
    return sorted(found)


def plan_of(name: str) -> Plan:
    """A case's plan in short."""
    by_rule: dict[str, list] = {}
    for rule, *files in jobs_of(name):
        by_rule.setdefault(rule, []).append(files)
    return {
        rule: [len(jobs), hashlib.sha256(json.dumps(jobs).encode()).hexdigest()[:12]]
        for rule, jobs in by_rule.items()
    }


def differences(plan: Plan, recorded: Plan) -> list[str]:
    """What changed, a line a rule."""
    lines = []
    for rule in sorted(plan.keys() | recorded.keys()):
        now, before = plan.get(rule), recorded.get(rule)
        if now != before:
            counts = [0 if p is None else p[0] for p in (before, now)]
            what = "other inputs or outputs" if counts[0] == counts[1] else "another number"
            lines.append(f"{rule}: {counts[0]} jobs -> {counts[1]} ({what})")
    return lines


def main() -> None:
    """Record every plan anew."""
    lines = []
    for name in CASES:
        rows = [f'    "{rule}": {json.dumps(plan)}' for rule, plan in plan_of(name).items()]
        lines.append(f'  "{name}": {{\n' + ",\n".join(rows) + "\n  }")
    RECORD.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
