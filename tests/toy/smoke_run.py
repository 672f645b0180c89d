"""The smoke configuration through Snakemake, as a user runs it, for the tests of the workflow."""

import hashlib
import json
import re
import shutil
import subprocess
import sys

import yaml

from toy.configuration import ROOT

SMOKE = ROOT / "config" / "smoke.yaml"
# Networks that see the images and what is left of them, for which every image is fitted.
RESIDUALS = {"network_input": {"channels": ["image", "residual"]}}


def command(*arguments, overlays=(), cores=2, run="null", checkout=ROOT):
    files = [str(checkout / "config" / "smoke.yaml"), *map(str, overlays)]
    # Targets first: --configfile takes every word that follows it.
    return [
        *(sys.executable, "-m", "snakemake", *arguments, "-s", str(checkout / "Snakefile")),
        *("--cores", str(cores), "--configfile", *files, "--config", f"run={run}"),
    ]


def snakemake(folder, *arguments, check=True, **options):
    done = subprocess.run(
        command(*arguments, **options),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=3600,
    )
    if check:
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done


def planned(folder, *arguments, **options):
    """Rule -> number of jobs that a dry run announces."""
    done = snakemake(folder, "-n", *arguments, **options)
    return jobs_of(done.stdout + done.stderr)


def jobs_of(text):
    """Rule -> number of jobs, as Snakemake prints them."""
    if "Nothing to be done" in text:
        return {}
    table = text.split("Job stats:")[1].split("\ntotal ")[0]
    return {name: int(n) for name, n in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)}


def files_planned(folder, *arguments, **options):
    """Every output and log that a dry run announces."""
    done = snakemake(folder, "-n", *arguments, **options)
    lines = re.findall(r"^    (?:output|log): (.*)$", done.stdout + done.stderr, re.MULTILINE)
    return {file for line in lines for file in line.split(", ")}


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
    """Relative path -> checksum of every file; of weights without what they were made with."""
    return {
        p.relative_to(folder).as_posix(): digest(p.name, p.read_bytes())
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


def digest(name, raw):
    """Checksum of what is in a file; of weights without what they were made with."""
    return hashlib.sha256(_content(raw) if name.endswith(".safetensors") else raw).hexdigest()


def _content(raw):
    size = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + size])
    header["__metadata__"] = json.loads(header["__metadata__"]["lensml"])
    header["__metadata__"].pop("made_with")
    return json.dumps(header, sort_keys=True).encode() + raw[8 + size :]


def copy_of_datasets(finished, folder):
    """A folder that holds the datasets of a finished run and their fits, known as made."""
    for part in ("results/datasets", "results/fits", ".snakemake/metadata"):
        shutil.copytree(finished / part, folder / part)
    return folder
