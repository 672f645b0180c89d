"""The smoke configuration through Snakemake, as a user runs it, for the tests of the workflow."""

import hashlib
import re
import subprocess
import sys

import yaml

from toy.configuration import ROOT

SMOKE = ROOT / "config" / "smoke.yaml"
# For runs elsewhere: of methods that differ only within a job, some stand for all.
SHORTER = {
    "adaptation": {"methods": ["source_only", "strong_augmentation", "adabn", "adda", "oracle"]},
    "anomaly": {"autoencoders": {"methods": ["vae"]}},
}


def command(*arguments, overlays=(), cores=2):
    files = [str(SMOKE), *map(str, overlays)]
    # Targets first: --configfile takes every word that follows it.
    return [
        *(sys.executable, "-m", "snakemake", *arguments, "-s", str(ROOT / "Snakefile")),
        *("--cores", str(cores), "--configfile", *files),
    ]


def snakemake(folder, *arguments, overlays=(), cores=2, check=True):
    done = subprocess.run(
        command(*arguments, overlays=overlays, cores=cores),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=1200,
    )
    if check:
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done


def planned(folder, *arguments, overlays=()):
    """Rule -> number of jobs that a dry run announces."""
    done = snakemake(folder, "-n", *arguments, overlays=overlays)
    text = done.stdout + done.stderr
    if "Nothing to be done" in text:
        return {}
    table = text.split("Job stats:")[1].split("total")[0]
    return {name: int(n) for name, n in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)}


def overlay(folder, content, name="overlay.yaml"):
    path = folder / name
    path.write_text(yaml.safe_dump(content))
    return path


def refusals(folder, content):
    """The lines with which a configuration is refused, before any job and without a traceback."""
    done = snakemake(folder, overlays=[overlay(folder, content)], check=False)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert not (folder / "results").exists()
    return [line for line in done.stderr.splitlines() if "configuration error" in line]


def digests(folder):
    """Relative path -> checksum of every file."""
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }
