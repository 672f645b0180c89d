"""A classifier's model card in the layout of Hugging Face: front matter, then plain words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from lensml.evaluation.cards.description import Metrics

LICENSE = "mit"
TAGS = ("astronomy", "gravitational-lensing", "strong-lensing", "dark-matter", "lensml")
TASK = "image-classification"
METRICS = {  # of the table -> type in the hub's words, and its name
    "roc_auc_ovr_macro": ("roc_auc", "ROC AUC, mean over classes against all others"),
    "accuracy": ("accuracy", "Accuracy, classes equally frequent"),
    "brier_score_calibrated": ("brier_score", "Brier score of calibrated probabilities"),
    "ece_calibrated": ("expected_calibration_error", "Calibration error after calibration"),
}
CLASSES = {
    "no_sub": "a smooth lens without substructure",
    "cdm": "subhalos of cold dark matter",
    "vortex": "a vortex, as of axion dark matter",
}
GUESSING = 0.6  # an AUC below it is hardly better
UNITS = {"asinh": "asinh of the image in units of its noise", "linear": "the image over its noise"}


def card_of(about: Mapping[str, Any], findings: Sequence[str] = ()) -> str:
    """The whole README.md.

    Args:
        about: see :func:`lensml.evaluation.cards.description.description_of`.
        findings: sentences of the audit that the domain has failed.
    """
    sections = {
        f"# {about['name']}": _summary(about),
        "## What it takes and gives": _interface(about),
        "## How well it does": _performance(about),
        "## What it was trained on": _training(about),
        "## What it is for, and what not": _limits(about, findings),
        "## How to use it": _usage(about),
        "## What it was made with": _made_with(about),
    }
    text = "\n\n".join(f"{title}\n\n{body}" for title, body in sections.items())
    return f"---\n{front_matter(about).to_yaml()}\n---\n\n{text}\n"


def front_matter(about: Mapping[str, Any]) -> ModelCardData:
    """Licence, tags and metrics in the form of a model index."""
    return ModelCardData(
        license=LICENSE,
        library_name="lensml",
        pipeline_tag=TASK,
        tags=[*TAGS, about["encoder"]["kind"]],
        metrics=list(dict.fromkeys(kind for kind, _ in METRICS.values())),
        model_name=about["name"],
        eval_results=[
            EvalResult(
                task_type=TASK,
                task_name="Dark-matter substructure in strong lenses",
                dataset_type=f"lensml/{about['domain']}",
                dataset_name=f"{about['about']['label']}, test images",
                dataset_split="test",
                metric_type=kind,
                metric_name=name,
                metric_value=round(about["metrics"][metric]["value"], 6),
                metric_args=_interval(about, metric),
            )
            for metric, (kind, name) in METRICS.items()
            if metric in about["metrics"]
        ],
    )


def _interval(about: Mapping[str, Any], metric: str) -> dict[str, float]:
    found = about["metrics"][metric]
    ends = {name: round(found[name], 6) for name in ("ci_low", "ci_high")}
    return {**ends, "confidence": about["about"]["confidence"], "images": int(found["n"])}


def _summary(about: Mapping[str, Any]) -> str:
    told = [f"`{name}` ({CLASSES.get(name, name)})" for name in about["classes"]]
    return (
        f"A classifier of gravitational lenses: {', '.join(told[:-1])} or {told[-1]}. It is a "
        f"network of the kind `{about['encoder']['kind']}` with {about['about']['parameters']:,} "
        f"numbers, for images of {about['about']['label']} and of nothing else."
    )


def _interface(about: Mapping[str, Any]) -> str:
    size, scale = about["image_size"], about["pixel_scale"]
    seen = about["network_input"]
    crop = f", of which the inner {seen['center_crop']}" if seen["center_crop"] else ""
    rows = {
        "image": f"{size} x {size} pixels of {scale:g} arcsec{crop}; e-/s per pixel, sky "
        "subtracted, lens in the middle",
        "noise": "`background_rms`, e-/s per pixel; measured on the border where it is not given",
        "the network sees": f"{', '.join(seen['channels'])}; "
        f"{UNITS.get(seen['stretch'], seen['stretch'])}",
        "gives": f"probabilities of {', '.join(about['classes'])}, with temperature "
        f"{about['temperature']:.3g}, averaged over the symmetry `{about['symmetry']}`; classes "
        "are taken to be equally frequent",
    }
    return _table(("", ""), rows.items())


def _performance(about: Mapping[str, Any]) -> str:
    of_seeds = about["metrics_of_all_seeds"]
    columns = {"this network": about["metrics"]}
    columns |= {"mean over all seeds": of_seeds} if of_seeds else {}
    columns |= {"radial profile, no network": about["metrics_of_baseline"]}
    names = {metric: name for metric, (_, name) in METRICS.items()} | {
        f"roc_auc_{name}": f"ROC AUC, {name} against all others" for name in about["classes"]
    }
    rows = [
        (name, *(_value(metrics, metric) for metrics in columns.values()))
        for metric, name in names.items()
    ]
    n = int(about["metrics"]["accuracy"]["n"])
    return (
        _table(("", *columns), rows) + f"\n\nOn {n} test images that no choice was made on. In "
        f"brackets {about['about']['confidence']:.0%} bootstrap intervals over lens systems, to "
        "which another training would add."
    )


def _value(metrics: Metrics, metric: str) -> str:
    if metric not in metrics:
        return "–"
    found = metrics[metric]
    return f"{found['value']:.3f} [{found['ci_low']:.3f}, {found['ci_high']:.3f}]"


def _training(about: Mapping[str, Any]) -> str:
    domain = about["judged_by"]["domain"]
    camera, counts = domain["instrument"], about["about"]["images"]
    if domain.get("files"):
        origin = "The images lay in files that others made; lensml knows nothing of their truth."
    else:
        population = domain["population"]
        origin = (
            f"Every image is simulated ({population['description']}): lenses at redshift "
            f"{population['z_lens']:g}, sources at {population['z_source']:g}; no lens is in two "
            "splits."
        )
    return (
        f"{origin} The camera is {camera['description']}: {camera['pixel_scale']:g} arcsec per "
        f"pixel, a PSF of {camera['psf_fwhm']:g} arcsec (FWHM). {counts['train']} training images "
        f"of each class, {counts['val']} to choose weights and temperature, {counts['test']} to "
        "test. All settings of domain, network and training are in `config.json`."
    )


def _limits(about: Mapping[str, Any], findings: Sequence[str]) -> str:
    domain = about["judged_by"]["domain"]
    points = [
        "It is for research on how substructure shows in lensing images, and for comparing "
        "methods on this domain.",
        "Of an image of another camera, depth, PSF or population its probabilities mean nothing, "
        "and they do not say so: a network is as sure of what it never saw. `lensml predict` "
        "compares every image with the domain's and gives no probabilities of others. A wrong PSF "
        "is not seen in a single image even then.",
        "Classes are taken to be equally frequent. Where they are not, the probabilities have to "
        "be weighted anew.",
        *_warnings(about),
        *findings,
    ]
    if not domain.get("files") and not domain["population"]["source"].get("galaxies"):
        points.append("Sources are smooth Sersic profiles; observed galaxies are not.")
    if not domain.get("files"):
        points.append(
            "It has seen simulated images alone. It is no evidence for or against any kind of "
            "dark matter in an observed lens."
        )
    return "\n".join(f"- {point}" for point in points)


def _warnings(about: Mapping[str, Any]) -> list[str]:
    """What its own numbers warn of."""
    auc = about["metrics"]["roc_auc_ovr_macro"]
    without = about["metrics_of_baseline"]["roc_auc_ovr_macro"]["value"]
    found = []
    if auc["value"] < GUESSING:
        found.append(
            f"**It hardly tells the classes apart** (AUC {auc['value']:.3f}; 0.5 is guessing): it "
            "is of use for trying things out, and for nothing else."
        )
    if auc["ci_low"] <= without:
        found.append(
            f"A radial profile without any network reaches an AUC of {without:.3f}: that this "
            "network does better is not shown."
        )
    return found


def _usage(about: Mapping[str, Any]) -> str:
    return f"""With lensml and this folder alone:

```
lensml predict {about["name"]}/ my_images/ -o predictions.csv
```

```python
import lensml

classifier = lensml.load("{about["name"]}")
probabilities = classifier.predict_proba(images, background_rms)  # (N, H, W), (N,)
```"""


def _made_with(about: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    return (
        f"{versions}; commit {about['git_commit'] or 'unknown'}; "
        f"`{json.dumps(about['made_with'], sort_keys=True)}`. Seed {about['seed']}."
    )


def _table(head: Sequence[str], rows: Any) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
