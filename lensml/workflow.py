"""What the adapters in ``workflow_scripts/`` share: logging, errors, typed parameters."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from lensml.data.checksums import record_outputs
from lensml.data.files import clear_leftovers
from lensml.data.packing import ENDING, pack, packed_store, unpack
from lensml.provenance import DIGITS, add_provenance, git_commit

if TYPE_CHECKING:
    from lensml.evaluation.statistics.predictions import Scored
    from lensml.schema.encoders import Encoder
    from lensml.schema.limit import Grid
    from lensml.schema.training import Evaluation
    from lensml.training.classification.search import Shipped
    from lensml.training.engine.setting import Results, Setting

# Mistakes of data, configuration or machine: the message says it all, a traceback would hide it.
EXPECTED = (ValueError, OSError, FloatingPointError, MemoryError)


@contextmanager
def job(snakemake: Any) -> Iterator[None]:
    """Run a job: its messages go to the rule's log, an expected error is one line.

    What it wrote is recorded with checksums, for ``lensml verify``. Where results live in object
    storage, ``results`` is made to lead to the local copies.

    Args:
        snakemake: the object that Snakemake hands to a script.
    """
    logging.captureWarnings(True)
    target = Path(snakemake.log[0])
    target.parent.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(
        filename=target, filemode="w", level=logging.INFO, format="%(asctime)s %(message)s"
    )
    logging.getLogger("fontTools").setLevel(logging.WARNING)  # it tells of every glyph
    add_provenance(commit=git_commit(DIGITS))
    try:
        for path in snakemake.output:
            clear_leftovers(path)
        _localise(snakemake)
        yield
        for path in _packed(snakemake.output):
            pack(packed_store(path), with_images=not snakemake.rule.endswith("seal_dataset"))
        record_outputs(RESULTS, snakemake.output, snakemake.rule)
    except EXPECTED as error:
        if isinstance(error, OSError) and error.errno is not None and error.filename is None:
            error.filename = str(snakemake.output[0])  # a full disk says not even where it is
        logging.error("%s", traceback.format_exc())
        line = " ".join(str(error).split()) or type(error).__name__
        sys.exit(f"{snakemake.rule}: {line} (details: {target})")


RESULTS = "results"


def _localise(snakemake: Any) -> None:
    """Of results in object storage: unpack the stores that came, make ``results`` lead to them.

    Snakemake keeps the local copies below a folder of its own, which the first output tells;
    parameters name files as ``results/...`` wherever these are.

    Raises:
        OSError: a folder ``results`` is in the way.
    """
    above, _, _ = str(snakemake.output[0]).partition(f"{RESULTS}/")
    if not above:
        return
    link, copies = Path(RESULTS), Path(above, RESULTS)
    copies.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):  # another job's
        link.symlink_to(copies)
    if not (link.is_symlink() and link.samefile(copies)):
        raise OSError(f"{link.absolute()} is in the way of results in storage: work elsewhere")
    for path in _packed(snakemake.input):
        unpack(path)


def _packed(paths: Any) -> list[str]:
    return [str(path) for path in paths if str(path).endswith(ENDING)]


def encoder_of(section: dict[str, Any]) -> Encoder:
    """An encoder's typed section."""
    from lensml.schema.encoders import Encoder

    return TypeAdapter(Encoder).validate_python(section)


def adaptation_of(snakemake: Any) -> dict[str, Any]:
    """What every run of adaptation from a source classifier on shares, by the keywords it has."""
    from lensml.schema.adaptation import AdaBn, Adda, Distortion, Joint

    given = snakemake.params
    return {
        "encoder": encoder_of(given.encoder),
        "joint": Joint.model_validate(given.joint),
        "distortion": Distortion.model_validate(given.distortion),
        "adda": Adda.model_validate(given.adda),
        "adabn": AdaBn.model_validate(given.adabn),
        "num_classes": given.num_classes,
        "symmetries": tuple(given.symmetries),
        "setting": setting_of(snakemake),
    }


def setting_of(snakemake: Any) -> Setting:
    """What every run with networks shares; its checkpoints lie under ``state/``."""
    from lensml.schema.encoders import NetworkInput
    from lensml.schema.training import Compute
    from lensml.training.engine.setting import Setting

    given = snakemake.params.setting
    _, _, below = str(snakemake.output[0]).partition(f"{RESULTS}/")
    return Setting(
        network_input=NetworkInput.model_validate(given["network_input"]),
        compute=Compute.model_validate(given["compute"]),
        seed=given["seed"],
        state=str(Path("state", below).parent),
        label=given["label"],
    )


def scored_of(snakemake: Any) -> list[Scored]:
    """Images that get anomaly scores: those of the test, and proxies."""
    from lensml.evaluation.statistics.predictions import Scored

    given, output = snakemake.params.scored, snakemake.output
    return [
        Scored(**part, outputs=dict(zip(given["scores"], files, strict=True)))
        for part, files in zip(given["parts"], (output.scores, output.proxies), strict=True)
    ]


def results_of(output: Any) -> Results:
    """Files that a training run writes."""
    from lensml.training.engine.setting import Results

    return Results(output.weights, output.history, output.run)


def grid_of(section: dict[str, Any]) -> Grid:
    """Where networks are compared with the physical limit."""
    from lensml.schema.limit import Grid

    return Grid(**section)


def shipped_of(start: dict[str, Any], classes: Sequence[str]) -> Shipped:
    """What a search starts from."""
    from lensml.schema.studies import Recipe
    from lensml.training.classification.search import Shipped

    return Shipped(
        recipe=Recipe.model_validate(start["recipe"]),
        num_pix=start["num_pix"],
        n_train=start["n_train"],
        n_classes=len(classes),
    )


def make(snakemake: Any) -> None:
    """Make a table or figure by the function that the parameter ``made_by`` names.

    Its arguments are the rule's inputs, outputs and parameters of the same names; of two with one
    name the parameter counts. The sections ``figures`` and ``evaluation`` become the typed
    arguments ``style`` and ``spec``.

    Args:
        snakemake: the object that Snakemake hands to a script; ``made_by`` is
            ``module:function``, the module below ``lensml``.

    Raises:
        TypeError: an argument has no source.
    """
    module, _, name = snakemake.params.made_by.partition(":")
    function = getattr(import_module(f"lensml.{module}"), name)
    parts = (snakemake.input, snakemake.output, snakemake.params)
    given: dict[str, Any] = {name: value for part in parts for name, value in part.items()}
    if "figures" in given:
        given["style"] = style_of(given["figures"])
    if "evaluation" in given:
        given["spec"] = evaluation_of(given["evaluation"])
    wanted = signature(function).parameters
    function(**{name: value for name, value in given.items() if name in wanted})


def evaluation_of(section: dict[str, Any]) -> Evaluation:
    """Intervals and operating points of a table."""
    from lensml.schema.training import Evaluation

    return Evaluation.model_validate(section)


def style_of(section: dict[str, Any]) -> Any:
    """Look of the figures; what the section says of their content is not part of it."""
    from lensml.figures.style import Style

    return Style(**{name: section[name] for name in ("dpi", "font_size", "width", "color_map")})
