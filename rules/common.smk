# Configuration, the plans of every task, and what rules share. The only rule file with functions.
import os
import re
import shutil
import sys
import time
from pathlib import Path

# Where this workflow lies, which may be a module of another one (docs/module.md). Its package is
# imported from there, whether or not it is installed.
HERE = Path(str(workflow.current_basedir)).parent
if HERE.is_dir():
    sys.path.insert(0, str(HERE))
else:  # at GitHub, say: configuration and catalogue are those of the lensml that is installed
    from lensml.shipped import workflow_folder

    HERE = workflow_folder()

from typing import get_args

from snakemake.exceptions import WorkflowError

from lensml import __version__, plan
from lensml.plan.classification import flat
from lensml.plan.code import hash_of_code
from lensml.plan.datasets import dump
from lensml.models.refusal import refusal
from lensml.plan.layout import run_files, score_files
from lensml.plan.report import of_figure, of_table
from lensml.provenance import add_provenance, hash_of, provenance_line
from lensml.schema import ConfigError, asked_encoders, read_config
from lensml.schema.adaptation import JOINT_METHODS, Method
from lensml.schema.anomaly import AutoencoderMethod
from lensml.schema.asked_encoders import unfit
from lensml.schema.config import resolved_text
from lensml.schema.reading import origins_of
from lensml.schema.simulation import SPLITS
from lensml.schema.studies import SHIPPED
from lensml.shipped import importable_from, version_problem

if stale := version_problem(HERE, __version__):
    sys.exit(stale)

# Jobs import the same package, in whatever environment they run.
FOUND_FIRST = [
    str(importable_from(HERE, Path(".snakemake/lensml"))),
    dict(os.environ).get("PYTHONPATH"),
]
os.environ.update(PYTHONPATH=os.pathsep.join(filter(None, FOUND_FIRST)))


def checked_config():
    """The configuration, or one line per problem and no job."""
    try:
        return read_config(
            CONFIG_FILES,
            catalogue_dir=HERE / "config" / "catalogue",
            refusal=refusal if workflow.is_main_process else None,  # a job's was tried before it
            **GIVEN,
        )
    except ConfigError as error:
        give_up(error.lines)


def give_up(problems):
    """One line per problem of the configuration, and no job."""
    for line in problems:
        print(f"configuration error: {line}", file=sys.stderr)
    sys.exit(1)


# Later ones win. As a module, this workflow knows what its statement hands over, and no file.
DEFAULT = f"{HERE}/config/config.yaml"
if workflow.modifier.is_main_snakefile():
    CONFIG_FILES = list(dict.fromkeys([DEFAULT, *map(str, workflow.configfiles)]))
    GIVEN = {"command_line": dict(workflow.config_settings.config)}
else:
    CONFIG_FILES = [DEFAULT]
    GIVEN = {"module": dict(config)}
CFG = checked_config()
CLASSES = CFG.substructures
STARTED = time.time()
SEED = CFG.seed
# Results in a bucket: snakemake --default-storage-provider s3, see docs/clusters.md.
IN_STORAGE = workflow.storage_settings.default_storage_provider is not None

# What jobs write says which configuration it was made with.
RESOLVED = resolved_text(CFG)
add_provenance(configuration=hash_of(RESOLVED))

# What the report's first page tells, beside the configuration.
if "--report" in sys.argv:
    from lensml.commands.ending import headlines

    config.update(told=headlines(Path(CFG.results)), made_with=provenance_line())

data = plan.Datasets(CFG, IN_STORAGE)
at = data.at
fits = plan.Fits(CFG, IN_STORAGE)
results = plan.Results(CFG, IN_STORAGE)
classification = plan.Classification(CFG, IN_STORAGE)
adaptation = plan.Adaptation(CFG, IN_STORAGE)
harmony = plan.Harmony(CFG, IN_STORAGE)
label_reads = plan.LabelReads(CFG, IN_STORAGE)
development = plan.Development(CFG, IN_STORAGE)
anomaly = plan.Anomaly(CFG, IN_STORAGE)
sweep = plan.Sweep(CFG, IN_STORAGE)
pretraining = plan.Pretraining(CFG, IN_STORAGE)
regression = plan.Regression(CFG, IN_STORAGE)
limit = plan.Limit(CFG, IN_STORAGE)
misspecification = plan.Misspecification(CFG, IN_STORAGE)
attribution = plan.Attribution(CFG, IN_STORAGE)
studies = plan.Studies(CFG, IN_STORAGE)
observed = plan.Observed(CFG, IN_STORAGE)


pathvars:
    results=CFG.results,
    logs=CFG.results.replace("results", "logs", 1),


if moved := workflow.modifier.path_modifier.replace_prefix(workflow.pathvars.get("results")):
    if moved != CFG.results:
        give_up(
            [
                f"prefix or pathvars of the module = {moved}: its results lie in {CFG.results}; "
                "to keep them apart, give its configuration the key 'run' with a name"
            ]
        )

# Before numpy or torch start: jobs share the cores, so none may take them all.
for variable in (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
):
    os.environ[variable] = str(CFG.compute.threads)
# A GPU job takes the GPU; on a machine without one, training jobs share the cores.
GPU = int(
    CFG.compute.device == "cuda"
    or (CFG.compute.device == "auto" and shutil.which("nvidia-smi") is not None)
)
# A training run on several devices: GPUs, or processes that share the cores.
TRAINING_GPUS = GPU * CFG.compute.devices
TRAINING_THREADS = CFG.compute.threads * (1 if GPU else CFG.compute.devices)
IMAGE = ["image"]  # channels of what was not given the fits of smooth lenses
IMAGE_INPUT = {**dump(CFG.network_input), "channels": IMAGE}
FIGURE_STYLE = CFG.figures.model_dump(exclude={"gallery_examples"})


wildcard_constraints:
    domain="|".join(map(re.escape, CFG.resolved)),
    source="|".join(map(re.escape, CFG.resolved)),
    target="|".join(map(re.escape, CFG.resolved)),
    substructure="|".join(CLASSES),
    split="|".join(SPLITS),
    block=r"\d+",
    seed=r"\d+",
    encoder="|".join(map(re.escape, CFG.encoders)),
    task="adaptation|criteria|development",
    study="zoo|ablation|scaling|search",
    worker=r"\d+",
    trial=r"\d+",
    candidate=f"{SHIPPED}|rank\\d+",
    variant="[A-Za-z0-9._-]+",
    img_size=r"\d+",
    start="pretrained|scratch|shipped",
    fraction=r"[0-9.e-]+",


def needs(mem_mb, minutes):
    """Memory and time of a job; a second attempt gets twice as much of both."""
    return {
        "mem_mb": lambda wildcards, attempt: mem_mb * attempt,
        "runtime": lambda wildcards, attempt: minutes * attempt,
    }


def setting(wildcards, label, channels=None):
    """Parameters that every rule with networks shares; channels as configured, or others."""
    seed = getattr(wildcards, "seed", None)
    network_input = dump(CFG.network_input)
    return {
        "network_input": {**network_input, "channels": channels or network_input["channels"]},
        "compute": dump(CFG.compute),
        "seed": int(seed) if seed is not None else SEED,
        "label": label,
    }


def pictured(name):
    """The files of a figure, of which the picture stands in the report."""
    return reported(at.figure(name), "png", of_figure(name))


def tabled(name):
    """The files of a table, of which the page stands in the report."""
    return reported(at.table(name), "html", of_table(name))


def reported(files, ending, entry):
    """Files of which the one of an ending stands in the report (snakemake --report)."""
    shown = {
        "caption": f"../docs/captions/{entry.caption}.rst",
        "category": entry.category,
        "labels": entry.labels,
    }
    return [report(file, **shown) if file.endswith(f".{ending}") else file for file in files]


def code(*modules):
    """Hash of the code that a table or figure is remade for when it changes, wherever it lies."""
    return hash_of_code(*modules)


def of_task(task, files):
    """What a task's own target asks for, as an input function; refused where it is not listed."""

    def found(wildcards):
        if task not in CFG.tasks:
            raise WorkflowError(
                f"tasks = {CFG.tasks}: does not list '{task}', so that nothing of it is asked for; "
                "add it there and say on what it runs"
            )
        return files

    return found


def of_study(study, files):
    """What a study's own target asks for, as an input function; refused where its encoders fail."""

    def found(wildcards):
        origins = origins_of(CONFIG_FILES, **GIVEN)
        problems = unfit(asked_encoders.of_study(CFG, study), origins, refusal)
        if problems:
            give_up(problems)
        return refusing(files)(wildcards) if callable(files) else files

    return found


def refusing(files):
    """What a target asks for, as an input function; why there is nothing to make, in one line."""

    def found(wildcards):
        try:
            return files()
        except ValueError as error:
            give_up([str(error)])

    return found


def write_resolved(text):
    """Keep the configuration beside the results that it makes."""
    from lensml.data.checksums import record_outputs
    from lensml.data.files import write_bytes

    if IN_STORAGE:
        return  # where a job's files alone travel
    path = f"{CFG.results}/config.yaml"
    try:
        write_bytes(path, text.encode())
        record_outputs("results", [path], "configuration")
    except OSError as error:
        raise WorkflowError(f"{error.strerror}: '{path}'") from None


def say_how_it_ended(well):
    """What the tables say that were made, or how to go on."""
    from lensml.commands.ending import failure, success

    lines = success(Path(CFG.results), STARTED) if well else failure()
    for line in lines:
        print(line, file=sys.stderr)
