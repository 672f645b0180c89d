# Configuration, wildcards and the paths that rules share.
import os
import re
import shutil
import sys
from pathlib import Path

# Jobs import lensml from this checkout whether or not it is installed.
sys.path.insert(0, workflow.basedir)
inherited = dict(os.environ).get("PYTHONPATH")
os.environ.update(PYTHONPATH=os.pathsep.join(filter(None, [workflow.basedir, inherited])))

from typing import get_args

from lensml.schema import ConfigError, load_config
from lensml.schema.adaptation import JOINT_METHODS, Method
from lensml.schema.anomaly import AutoencoderMethod, Scoring
from lensml.schema.config import noiseless
from lensml.schema.development import changed, configured_values, trial_values
from lensml.schema.pretraining import STARTS, mae_encoder, pretraining_recipe
from lensml.schema.studies import SHIPPED, Variant, resolve_variant, steps_of
from lensml.schema.sweep import N_TRAIN, configured, retrained, swept


def checked_config():
    """The configuration, or one line per problem and no job."""
    try:
        return load_config(
            config,
            catalogue_dir=Path(workflow.basedir) / "config" / "catalogue",
            files=[Path(f) for f in CONFIG_FILES],
        )
    except ConfigError as error:
        for line in error.lines:
            print(f"configuration error: {line}", file=sys.stderr)
        sys.exit(1)


# Later ones win.
CONFIG_FILES = list(
    dict.fromkeys([f"{workflow.basedir}/config/config.yaml", *map(str, workflow.configfiles)])
)
CFG = checked_config()
CLASSES = CFG.substructures
METHODS = get_args(Method)  # of adaptation
SEED = CFG.seed
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
FIGURE_ENDINGS = ["pdf", "png"]
TABLE_ENDINGS = ["csv", "md", "tex"]
LIBRARY = f"{workflow.basedir}/lensml"
# Results in a bucket: snakemake --default-storage-provider s3, see docs/clusters.md.
IN_STORAGE = workflow.storage_settings.default_storage_provider is not None


wildcard_constraints:
    domain="|".join(map(re.escape, CFG.resolved)),
    source="|".join(map(re.escape, CFG.resolved)),
    target="|".join(map(re.escape, CFG.resolved)),
    substructure="|".join(CLASSES),
    split="train|val|test",
    block=r"\d+",
    seed=r"\d+",
    encoder="|".join(map(re.escape, CFG.encoders)),
    study="zoo|ablation|scaling|search",
    worker=r"\d+",
    trial=r"\d+",
    candidate=f"{SHIPPED}|rank\\d+",
    variant="[A-Za-z0-9._-]+",
    img_size=r"\d+",


def dump(section):
    """A configuration section as plain data: what Snakemake compares to decide what is new."""
    return section.model_dump()


def store(domain, substructure, split):
    return f"results/datasets/{domain}/{substructure}/{split}.zarr"


def packed(store):
    """A store's small files in one, for object storage, where files travel one by one."""
    return {"packed": store.replace(".zarr", ".packed.zip")} if IN_STORAGE else {}


def store_files(store, n_chunks=0):
    """What a rule that reads a store waits for; in object storage, also what the store is made of."""
    chunks = [f"{store}/image/c/{b}/0/0" for b in range(n_chunks * IN_STORAGE)]
    return [store.replace(".zarr", ".manifest.json"), *packed(store).values(), *chunks]


def manifest(domain, substructure, split):
    """The same of a dataset; pools without labels are packed whole."""
    made_by_blocks = substructure in CLASSES
    return store_files(store(domain, substructure, split), n_blocks(split) * made_by_blocks)


def manifests(domain, split):
    """The same of every class."""
    return [file for s in CLASSES for file in manifest(domain, s, split)]


def stores(domain, split):
    return [store(domain, s, split) for s in CLASSES]


def run_files(folder):
    """What every training run writes."""
    return {name: f"{folder}/{file}" for name, file in RUN_FILES.items()}


RUN_FILES = {"weights": "weights.safetensors", "history": "history.csv", "run": "run.json"}


def setting(wildcards, label):
    """Parameters that every rule with networks shares."""
    seed = getattr(wildcards, "seed", None)
    return {
        "network_input": dump(CFG.network_input),
        "compute": dump(CFG.compute),
        "seed": int(seed) if seed is not None else SEED,
        "label": label,
    }


def symmetry(domain):
    return CFG.domain(domain).population.symmetry


def test_symmetry(domain):
    return symmetry(domain) if CFG.classifier.test_time_augmentation else "none"


def figure(name):
    return [f"results/figures/{name}.{ending}" for ending in FIGURE_ENDINGS]


def table(name):
    return [f"results/tables/{name}.{ending}" for ending in TABLE_ENDINGS]


def source(*modules):
    """Code that a table or figure is remade for when it changes."""
    return [local(f"{LIBRARY}/{module}") for module in modules]
