"""A classifier's folder to be handed on, of a network that was never trained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lensml.evaluation.cards.writing import write_card
from lensml.schema.fit import Fit
from lensml.schema.simulation import Domain
from lensml.training.engine.checkpoint import save_weights
from toy.exported import CLASSES, ENCODERS, SIZE, TEMPERATURE, network_of
from toy.stores import NETWORK_INPUT

METRICS = ("roc_auc_ovr_macro", "accuracy", "brier_score_calibrated", "ece_calibrated")
TABLE = [  # of the classifiers: model, seed, value of every metric, and half of its interval
    ("cnn", 0, 0.8, 0.05),
    ("cnn", "all", 0.75, 0.1),
    ("radial_profile", 0, 0.6, 0.02),
]
FILES = {"weights": "model.safetensors", "config": "config.json", "card": "README.md"}


def toy_arguments(folder: Path, domain: Domain, fit: Fit, **changes: float) -> dict[str, Any]:
    """Arguments of :func:`write_card`, with the files that they name.

    Args:
        folder: of everything.
        domain: whose images are made smaller.
        fit: of smooth lenses.
        changes: values of the network's metrics.
    """
    small = domain.model_copy(update={"num_pix": SIZE})
    save_weights(folder / "weights.safetensors", network_of("cnn").state_dict(), {})
    (folder / "calibration.json").write_text(json.dumps({"temperature": TEMPERATURE}))
    config = {
        "classifier": {"epochs": 1},
        "encoder": ENCODERS["cnn"].model_dump(),
        "network_input": NETWORK_INPUT.model_dump(),
    }
    record = {"config": config, "versions": {"torch": "2"}, "git_commit": None, "made_with": {}}
    (folder / "run.json").write_text(json.dumps(record))
    lines = ["domain,model,seed,metric,value,ci_low,ci_high,n"]
    for model, seed, value, half in TABLE:
        for metric in METRICS:
            found = changes.get(metric, value) if (model, seed) == ("cnn", 0) else value
            ends = f"{found - half},{found + half}"
            lines.append(f"{domain.name},{model},{seed},{metric},{found},{ends},300")
    (folder / "table.csv").write_text("\n".join(lines) + "\n")
    return {
        "weights": str(folder / "weights.safetensors"),
        "run": {name: str(folder / f"{name}.json") for name in ("calibration", "run")},
        "table": str(folder / "table.csv"),
        "outputs": {name: str(folder / "card" / file) for name, file in FILES.items()},
        "audits": [],
        "about": {
            "label": "Euclid",
            "images": {"train": 10, "val": 5, "test": 100},
            "confidence": 0.95,
        },
        "domain": domain.name,
        "encoder": "cnn",
        "seed": 0,
        "classes": CLASSES,
        "symmetry": "square",
        "judged_by": {
            "domain": small.model_dump(mode="json"),
            "fit": fit.model_dump(mode="json"),
            "seed": 0,
        },
    }


def write_toy_card(folder: Path, domain: Domain, fit: Fit, **changes: float) -> Path:
    """The folder that would be handed on."""
    given = toy_arguments(folder, domain, fit, **changes)
    write_card(**given)
    return Path(given["outputs"]["card"]).parent
