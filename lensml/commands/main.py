"""The command ``lensml``: a project, checks, predictions, figures, uploads; Snakemake works."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lensml import __version__

EPILOG = "The workflow itself is run by Snakemake: snakemake --cores 2"


def parser() -> argparse.ArgumentParser:
    """Arguments of ``lensml``."""
    top = argparse.ArgumentParser(prog="lensml", description=__doc__, epilog=EPILOG)
    top.add_argument("--version", action="version", version=f"lensml {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    init = commands.add_parser(
        "init",
        help="write a folder with the workflow in it, to run and to change",
        description="Write a project: Snakefile, rules, configuration and profiles of the lensml "
        "that is installed. There, snakemake --cores 2 is the default run.",
    )
    init.add_argument("folder", type=Path, help="empty, or not there yet")
    verify = commands.add_parser(
        "verify",
        help="check every dataset and file of a results folder against what was recorded",
        description="Check every dataset and file of a results folder against the checksums that "
        "were recorded when it was made. Exit status 1: something is damaged, missing or "
        "unfinished; each is named in a line.",
    )
    verify.add_argument("results", nargs="?", type=Path, default=Path("results"))
    check = commands.add_parser(
        "check",
        help="check configuration files, with file, key, value and what is allowed in a line each",
        description="Check configuration files as the workflow would take them after its own "
        "config/config.yaml, before Snakemake reads them. Exit status 1: something is wrong; each "
        "problem is a line.",
    )
    check.add_argument("files", nargs="*", type=Path, metavar="FILE")
    commands.add_parser(
        "doctor",
        help="check versions, GPU, threads, memory, disk and SLURM of this machine",
        description="Check whether this machine can run the workflow. Exit status 1: something "
        "that it needs is missing.",
    )
    _add_predict(commands)
    _add_push(commands)
    _add_pairs(commands)
    return top


def _add_pairs(commands: Any) -> None:
    pairs = commands.add_parser(
        "pairs",
        help="draw the pairs of domains of several runs' tables of adaptation in one figure",
        description="Draw AUC and accuracy on the target of every pair, from the source's "
        "classifier to the oracle, of tables of several runs in one figure. Exit status 1: a "
        "table or configuration file is wrong; a line says what.",
    )
    pairs.add_argument(
        "tables", nargs="+", type=Path, metavar="TABLE", help="results/tables/adaptation.csv"
    )
    pairs.add_argument(
        "--configfile",
        nargs="+",
        type=Path,
        default=[],
        help="files whose labels of domains and look of figures count, after config/config.yaml",
    )
    pairs.add_argument(
        "-o", "--output", type=Path, default=Path("pairs.png"), help="%(default)s, or a .pdf"
    )


def _add_predict(commands: Any) -> None:
    predict = commands.add_parser(
        "predict",
        help="what a run's classifiers say of your images, and of which they can say nothing",
        description="Class probabilities of images of a classifier's camera, an anomaly score and "
        "the smooth lens fitted to each, in a row per image. Images that are not like those that "
        "the classifier was trained for get no probabilities, but the reason. A stopped run goes "
        "on where it was. Exit status 1: an image could not be used; its row says why.",
    )
    predict.add_argument(
        "run",
        type=Path,
        help="folder of a classifier, such as results/classification/euclid_l1/vit_conv_stem, "
        "whose seeds are averaged, or of one that was handed on (.onnx, .safetensors)",
    )
    predict.add_argument(
        "images",
        nargs="+",
        help="npy, npz, HDF5, Zarr or FITS files, stores, folders, patterns, or CSV lists with a "
        "column image",
    )
    predict.add_argument(
        "-o", "--output", type=Path, default=Path("predictions.csv"), help="%(default)s"
    )
    predict.add_argument(
        "--background-rms",
        type=_positive,
        help="e-/s per pixel, of images that do not say theirs (measured at the border)",
    )
    predict.add_argument(
        "--exposure-time",
        type=_positive,
        help="s, of images that do not say theirs (that of the classifier's domain)",
    )
    predict.add_argument(
        "--array",
        metavar="NAME",
        help="array of the images in npz, HDF5 and Zarr files that hold many (image, or images)",
    )
    predict.add_argument(
        "--each-by-itself",
        action="store_true",
        help="they are not judged as a set of one camera, which alone shows a wrong PSF",
    )


def _add_push(commands: Any) -> None:
    push = commands.add_parser(
        "push",
        help="upload a classifier with its model card to the Hugging Face Hub",
        description="Upload weights that describe themselves, their description and model card, "
        "as whoever is logged in there (hf auth login). Exit status 1: a file is missing or does "
        "not belong to the others, or the Hub cannot be reached.",
    )
    push.add_argument(
        "folder", type=Path, help="as snakemake model_cards writes it below results/cards"
    )
    push.add_argument("repo_id", metavar="OWNER/NAME", help="made, private, where there is none")
    push.add_argument("--public", action="store_true", help="a new one is seen by everybody")
    push.add_argument("--dry-run", action="store_true", help="check, and upload nothing")


def _positive(text: str) -> float:
    """A number above 0."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError(text)
    return value


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Returns:
        The exit status: 0, or 1 if something is wrong.
    """
    given = parser().parse_args(arguments)
    if given.command == "init":
        from lensml.commands.init import report as init

        return init(given.folder)
    if given.command == "verify":
        from lensml.commands.verify import report

        return report(given.results)
    if given.command == "check":
        from lensml.commands.check import report as check

        return check(given.files)
    if given.command == "predict":
        from lensml.commands.predict import report as predict

        known = {"background_rms": given.background_rms, "exposure_time": given.exposure_time}
        return predict(
            given.run,
            given.images,
            given.output,
            array=given.array,
            as_a_set=not given.each_by_itself,
            **known,
        )
    if given.command == "pairs":
        from lensml.commands.pairs import report as draw

        return draw(given.tables, given.configfile, given.output)
    if given.command == "push":
        from lensml.commands.push import report as push

        return push(given.folder, given.repo_id, public=given.public, dry_run=given.dry_run)
    from lensml.commands.doctor import report as diagnose

    return diagnose()
