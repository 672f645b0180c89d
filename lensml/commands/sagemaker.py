"""The workflow as a training job of Amazon SageMaker: ``train`` in the container.

SageMaker describes a job by files below /opt/ml, and takes its results from there:

* ``input/config/hyperparameters.json``: ``targets`` and ``configfiles``, names separated by
  spaces (the files of this repository, or of a channel); ``cores``; anything else is a key of the
  configuration with dots, ``classifier.epochs``, and its value as YAML.
* ``input/data/<channel>``: results of an earlier job, ``datasets`` say, to start from.
* ``checkpoints``: where the workflow runs. SageMaker copies it to a bucket while the job runs and
  back when an interrupted spot instance is replaced, so that training is resumed.
* ``model``: gets tables, figures and weights at the end. ``output/failure``: says what went wrong.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from lensml.shipped import workflow_folder

ML = Path("/opt/ml")
LENSML = workflow_folder()
DEFAULT_TARGETS = "all"
LEFT = ("datasets", "fits")  # what is too large to be handed over
OURS = ("targets", "configfiles", "cores")
TEXT_OF_FAILURE = 1024  # characters that SageMaker shows


class JobError(ValueError):
    """A hyperparameter cannot be used."""


def hyperparameters(root: Path) -> dict[str, str]:
    """What the job is asked for; SageMaker hands every value on as text.

    Raises:
        JobError: the file is no mapping of names to text.
    """
    path = root / "input/config/hyperparameters.json"
    if not path.exists():
        return {}
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise JobError(f"{path}: not JSON ({error})") from None
    if not (isinstance(given, dict) and all(isinstance(v, str) for v in given.values())):
        raise JobError(f"{path}: must be a mapping of names to text")
    return given


def overlay_of(given: Mapping[str, str]) -> dict[str, Any]:
    """The configuration that hyperparameters with dots spell out.

    Raises:
        JobError: a value is not YAML, or two names contradict each other.
    """
    overlay: dict[str, Any] = {}
    for name, text in given.items():
        if name in OURS:
            continue
        *above, last = name.split(".")
        section = overlay
        for part in above:
            section = section.setdefault(part, {})
            if not isinstance(section, dict):
                raise JobError(f"hyperparameter {name}: {part} has a value of its own already")
        try:
            section[last] = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise JobError(f"hyperparameter {name} = {text!r}: {error}") from None
    return overlay


def command_of(given: Mapping[str, str], root: Path) -> list[str]:
    """Snakemake's command line of a job.

    Raises:
        JobError: a configuration file does not exist, or a target is an option.
    """
    targets = given.get("targets", DEFAULT_TARGETS).split()
    if options := [target for target in targets if target.startswith("-")]:
        raise JobError(f"targets: {options[0]!r} is an option of Snakemake, not a target")
    files = [_found(name, root) for name in given.get("configfiles", "").split()]
    overlay = root / "checkpoints/overlay.yaml"
    # A job has a folder of its own, in which channels lie where a run without a name has them.
    content = {"run": None, **overlay_of(given)}
    overlay.write_text(yaml.safe_dump(content), encoding="utf-8")
    cores = given.get("cores", str(os.cpu_count()))
    if not cores.isdigit() or int(cores) == 0:
        raise JobError(f"cores = {cores!r}: must be a positive whole number")
    return [
        *(sys.executable, "-m", "snakemake", *targets),
        *("--snakefile", str(LENSML / "Snakefile"), "--directory", str(root / "checkpoints")),
        *("--cores", cores, "--rerun-incomplete", "--retries", "1"),
        *("--configfile", *files, str(overlay)),
    ]


def _found(name: str, root: Path) -> str:
    candidates = [LENSML / name, *sorted((root / "input/data").glob(f"*/{name}"))]
    for path in candidates:
        if path.is_file():
            return str(path)
    raise JobError(f"configfiles: {name} is neither in the repository nor in a channel")


def bring_channels(root: Path) -> None:
    """Copy results of earlier jobs, channel ``datasets`` to ``results/datasets``, once."""
    for channel in sorted((root / "input/data").glob("*")):
        target = root / "checkpoints/results" / channel.name
        if channel.is_dir() and not target.exists():
            begun = target.with_name(f".{channel.name}.tmp")  # of a job that was taken away, too
            shutil.rmtree(begun, ignore_errors=True)
            shutil.copytree(channel, begun)
            begun.rename(target)


def hand_over(root: Path) -> None:
    """Copy what a job is for to where SageMaker takes it from: everything but images and fits."""
    results = root / "checkpoints/results"
    shutil.copytree(
        results,
        root / "model",
        dirs_exist_ok=True,
        ignore=lambda folder, names: {*LEFT} & {*names} if Path(folder) == results else (),
    )


def run_job(root: Path = ML) -> int:
    """Run the workflow as SageMaker asks for it; the exit status of the container."""
    (root / "checkpoints").mkdir(parents=True, exist_ok=True)
    try:
        command = command_of(hyperparameters(root), root)
        bring_channels(root)
        # A spot instance that is taken away leaves the lock of the run that it ended.
        _run([*command, "--unlock"])
        _run(command)
        hand_over(root)
    except (JobError, OSError) as error:
        failure = root / "output/failure"
        failure.parent.mkdir(parents=True, exist_ok=True)
        failure.write_text(str(error)[:TEXT_OF_FAILURE], encoding="utf-8")
        print(f"lensml: {error}", file=sys.stderr)
        return 1
    return 0


def _run(command: Sequence[str]) -> None:
    """Run Snakemake and pass its messages on as they come.

    Raises:
        JobError: it fails; says what a user needs of its messages.
    """
    last, errors = "Snakemake failed without a message", []
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            sys.stderr.write(line)
            last = line.strip() or last
            if "error:" in line or "(details:" in line:
                errors.append(line.strip())
    if process.returncode != 0:
        raise JobError("\n".join(errors or [last]))


if __name__ == "__main__":
    sys.exit(run_job())
