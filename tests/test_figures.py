"""Figures: every one is drawn from tables as the workflow makes them, and read back."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.image
import numpy as np
import pandas as pd
import pytest

from lensml import figures
from lensml.figures.confusion import confusion_matrix, row_percent
from lensml.figures.roc import roc_auc, roc_curve
from lensml.figures.style import Style, apply_style, colors_of, new_figure, readable, save

CLASSES = ["no_sub", "cdm", "vortex"]
STYLE = Style(dpi=60, font_size=9.0, width=7.1, color_map="magma")
PIXEL_SCALE = 0.1  # arcsec


def write_predictions(path: Path, seed: int, *, skill: float, n: int = 120) -> Path:
    """Probabilities of a classifier that knows substructure with the given skill."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(3), n)
    logits = rng.normal(size=(3 * n, 3))
    logits[:, 1] += skill * (labels == 1) + 0.4 * skill * (labels == 2)
    logits[:, 2] += 1.5 * skill * (labels == 2)
    logits[:, 0] += skill * (labels == 0)
    probability = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    columns = {f"p_{name}": probability[:, i] for i, name in enumerate(CLASSES)}
    return _write(path, _systems(n) | {"label": np.array(CLASSES)[labels]} | columns)


def write_scores(path: Path, seed: int, *, shift: Sequence[float], n: int = 120) -> Path:
    """Scores with a long upper tail; ``shift`` is that of each class."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(3), n)
    score = 0.01 * np.exp(0.3 * rng.normal(size=3 * n) + np.array(shift)[labels])
    return _write(path, _systems(n) | {"label": np.array(CLASSES)[labels], "score": score})


def _systems(n: int) -> dict[str, np.ndarray]:
    index = np.tile(np.arange(n), 3)
    return {"system_id": np.array([f"euclid-test-{i:06d}" for i in index]), "index": index}


def _write(path: Path, columns: dict) -> Path:
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


def write_history_classifier(path: Path, seed: int) -> Path:
    rng = np.random.default_rng(seed)
    epoch = np.arange(1, 25) / 2
    auc = 0.5 + 0.42 * (1 - np.exp(-epoch / 3)) + 0.008 * rng.normal(size=24)
    columns = {
        "epoch": epoch,
        "step": (epoch * 560).astype(int),
        "train_loss": 0.35 + 0.75 * np.exp(-epoch / 4) + 0.01 * rng.normal(size=24),
        "val_loss": 0.45 + 0.65 * np.exp(-epoch / 3) + 0.02 * rng.normal(size=24),
        "val_roc_auc_ovr_macro": auc,
        "learning_rate": 2e-3 * np.cos(np.pi * epoch / 26) ** 2,
    }
    return _write(path, columns)


def write_history_adda(path: Path, seed: int) -> Path:
    rng = np.random.default_rng(seed)
    step = np.arange(0, 400, 5)
    fade = np.exp(-step / 90)
    columns = {
        "step": step,
        "discriminator_loss": 0.69 - 0.4 * fade + 0.02 * rng.normal(size=80),
        "discriminator_accuracy": 0.53 + 0.4 * fade + 0.03 * rng.normal(size=80),
        "encoder_loss": 0.7 + 1.6 * fade + 0.05 * rng.normal(size=80),
        "feature_distance": 0.4 + 2.5 * fade + 0.05 * np.abs(rng.normal(size=80)),
    }
    return _write(path, columns)


def write_history_mae(path: Path, seed: int) -> Path:
    rng = np.random.default_rng(seed)
    epoch = np.arange(1.0, 21.0)
    loss = 0.02 + 0.3 * np.exp(-epoch / 2.5)
    columns = {
        "epoch": epoch,
        "step": (epoch * 94).astype(int),
        "train_loss": loss * np.exp(0.03 * rng.normal(size=20)),
        "val_loss": 1.05 * loss * np.exp(0.03 * rng.normal(size=20)),
        "learning_rate": 2e-3 * np.minimum(epoch / 2, np.cos(np.pi * epoch / 42)),
    }
    return _write(path, columns)


def lens_image(theta_e: float, beta: float, masses: np.ndarray) -> np.ndarray:
    """Arc of a round lens with point masses of columns x, y, theta_E; about unit peak."""
    axis = (np.arange(64) - 31.5) * PIXEL_SCALE
    x, y = np.meshgrid(axis, axis)
    radius = np.hypot(x, y)
    alpha_x, alpha_y = theta_e * x / radius, theta_e * y / radius
    for px, py, strength in masses:
        r2 = (x - px) ** 2 + (y - py) ** 2 + 1e-3
        alpha_x, alpha_y = (
            alpha_x + strength**2 * (x - px) / r2,
            alpha_y + strength**2 * (y - py) / r2,
        )
    return np.exp(-np.hypot(x - alpha_x - beta, y - alpha_y - 0.5 * beta) / 0.15)


def write_gallery(path: Path, *, n: int = 2, image_scale: float = 1.0) -> Path:
    """The same lenses without substructure, with many point masses, with a vortex."""
    rng = np.random.default_rng(3)
    theta_e, beta = rng.uniform(0.9, 1.6, n), rng.uniform(0, 0.3, n)
    rows, images, offset = [], [], [0]
    for label in CLASSES:
        for i in range(n):
            own = _perturbers(rng, label, theta_e[i])
            rows.append(own)
            offset.append(offset[-1] + len(own))
            lenses = np.column_stack([own[:, :2], np.sqrt(own[:, 2] / 1e12)])
            noise = 0.02 * rng.normal(size=(64, 64))
            images.append(image_scale * (lens_image(theta_e[i], beta[i], lenses) + noise))
    perturbers = np.concatenate(rows)
    names = ["x", "y", "mass", "length", "angle"]
    np.savez(
        path,
        image=np.array(images, dtype=np.float32),
        label=np.repeat(CLASSES, n),
        background_rms=np.full(3 * n, 0.02 * image_scale),
        theta_E=np.tile(theta_e, 3),
        m_sub_total=np.array([own[:, 2].sum() for own in rows]),
        pixel_scale=PIXEL_SCALE,
        perturber_offset=np.array(offset),
        allow_pickle=False,
        **{f"perturber_{name}": perturbers[:, k] for k, name in enumerate(names)},
    )
    return path


def _perturbers(rng: np.random.Generator, label: str, theta_e: float) -> np.ndarray:
    """Columns x, y, mass, length, angle."""
    if label == "no_sub":
        return np.empty((0, 5))
    if label == "vortex":
        return np.array([[*rng.uniform(-1, 1, 2), 3e9, rng.uniform(0.5, 2), rng.uniform(0, 3)]])
    mass = 1e6 * (1 - rng.uniform(0, 0.9999, 25)) ** (-1 / 0.9)
    radius, phi = 2.5 * np.sqrt(rng.uniform(size=25)), rng.uniform(0, 2 * np.pi, 25)
    nothing = np.full(25, np.nan)
    place = (radius * np.cos(phi), radius * np.sin(phi))
    return np.column_stack([*place, np.minimum(mass, 1e10), nothing, nothing])


def write_reconstructions(path: Path, *, n: int = 2) -> Path:
    rng = np.random.default_rng(5)
    truth = np.array([lens_image(1.0 + 0.2 * i, 0.1 * i, np.empty((0, 3))) for i in range(n)])
    rms = 0.02
    image = truth + rms * rng.normal(size=truth.shape)
    guess = truth * 0.95 + 0.01
    hidden = np.kron(rng.uniform(size=(n, 8, 8)) < 0.5, np.ones((1, 8, 8))) > 0
    stretch = {"image": image, "reconstruction": guess, "masked": np.where(hidden, np.nan, image)}
    arrays = {name: np.arcsinh(a / rms / 5).astype(np.float32) / 2 for name, a in stretch.items()}
    label = np.array(CLASSES)[np.arange(n) % 3]
    residual = ((guess - image) / rms).astype(np.float32)
    np.savez(path, label=label, residual=residual, pixel_scale=PIXEL_SCALE, **arrays)
    return path


def write_convergence(path: Path, *, n: int = 2) -> Path:
    kappa = np.zeros((n, 64, 64))
    kappa[1:, 20:24, 40] = 0.3
    np.savez(path, label=np.array(CLASSES)[np.arange(n) % 3], kappa=kappa)
    return path


def write_embedding(path: Path, *, n: int = 60) -> Path:
    rng = np.random.default_rng(7)
    frames = []
    for stage, gap in (("before", 4.0), ("after", 0.4)):
        for role, domain in (("source", "euclid"), ("target", "hst")):
            for k, label in enumerate(CLASSES):
                x = 2.5 * np.cos(2 * k) + rng.normal(size=n) + gap * (role == "target")
                y = 2.5 * np.sin(2 * k) + rng.normal(size=n)
                keys = {"stage": stage, "domain": domain, "role": role, "label": label}
                frames.append(pd.DataFrame({**keys, "x": x, "y": y}))
    pd.concat(frames).to_csv(path, index=False)
    return path


def write_adaptation(path: Path, *, models: Sequence[str] = ("cnn",)) -> Path:
    rng = np.random.default_rng(11)
    rows = [
        ("euclid", "hst", model, method, seed, metric, value + 0.01 * rng.normal())
        for model in models
        for k, method in enumerate(["source_only", "adabn", "adda", "oracle"])
        for seed in range(3)
        for metric, value in (("roc_auc_ovr_macro", 0.7 + k * 0.06), ("accuracy", 0.5 + k * 0.08))
    ]
    keys = ["source_domain", "target_domain", "model", "method", "seed", "metric", "value"]
    return _with_intervals(path, pd.DataFrame(rows, columns=keys))


def write_anomaly(path: Path) -> Path:
    rng = np.random.default_rng(13)
    rows = [
        ("euclid", method, score, seed, metric, value - 0.05 * k + 0.005 * rng.normal())
        for k, (method, score) in enumerate(
            [("mae", "chi2"), ("pca", "residual"), ("total_flux", "flux"), ("mae", "mse")]
        )
        for seed in range(3 if method == "mae" else 1)
        for metric, value in (
            ("roc_auc_cdm", 0.6),
            ("roc_auc_vortex", 0.72),
            ("roc_auc_any", 0.66),
        )
    ]
    keys = ["domain", "method", "score", "seed", "metric", "value"]
    return _with_intervals(path, pd.DataFrame(rows, columns=keys))


def write_strength(path: Path) -> Path:
    rng = np.random.default_rng(17)
    bins = {
        ("cdm", "log10_m_sub_total"): np.linspace(8.5, 10.5, 6),
        ("vortex", "log10_axion_mass"): np.linspace(-24, -22, 6),
    }
    rows = [
        (domain, "vit_conv_stem", seed, label, quantity, low, high, value)
        for domain in ("euclid", "hst")
        for seed in range(2)
        for (label, quantity), edges in bins.items()
        for k, (low, high) in enumerate(itertools.pairwise(edges))
        for value in [0.55 + 0.09 * k - 0.04 * (domain == "hst") + 0.01 * rng.normal()]
    ]
    keys = ["domain", "model", "seed", "label", "quantity", "bin_low", "bin_high", "roc_auc"]
    return _with_intervals(path, pd.DataFrame(rows, columns=keys), of="roc_auc")


def _with_intervals(path: Path, table: pd.DataFrame, *, of: str = "value") -> Path:
    table = table.assign(ci_low=table[of] - 0.02, ci_high=table[of] + 0.02, n=3000)
    table.to_csv(path, index=False)
    return path


Draw = Callable[[Path, Style, Sequence[Path]], None]


def _seeds(folder: Path, name: str, write: Callable[..., Path], n: int, **how: object) -> list:
    return [write(folder / f"{name}{seed}.csv", seed, **how) for seed in range(n)]


def draw_roc_classification(folder: Path, style: Style, output: Sequence[Path]) -> None:
    files = {
        name: _seeds(folder, name, write_predictions, 3, skill=skill)
        for name, skill in (("vit_conv_stem", 2.0), ("cnn", 1.4), ("radial_profile", 0.5))
    }
    figures.plot_roc_classification(files, title="Euclid, test set", style=style, output=output)


def draw_roc_adaptation(folder: Path, style: Style, output: Sequence[Path]) -> None:
    files = {
        name: _seeds(folder, name, write_predictions, 1, skill=skill)
        for name, skill in (("source_only", 0.6), ("adabn", 1.0), ("adda", 1.5), ("oracle", 2.0))
    }
    figures.plot_roc_adaptation(files, title="from Euclid to HST", style=style, output=output)


def draw_roc_anomaly(folder: Path, style: Style, output: Sequence[Path]) -> None:
    files = {
        "mae": _seeds(folder, "mae", write_scores, 2, shift=[0, 0.2, 0.4]),
        "pca": _seeds(folder, "pca", write_scores, 1, shift=[0, 0.1, 0.2]),
        "total_flux": _seeds(folder, "total_flux", write_scores, 1, shift=[0, 0, 0]),
    }
    figures.plot_roc_anomaly(files, title="anomaly detection", style=style, output=output)


def draw_confusion(folder: Path, style: Style, output: Sequence[Path]) -> None:
    files = {
        name: _seeds(folder, name, write_predictions, 2, skill=skill)
        for name, skill in (("vit_conv_stem", 2.0), ("cnn", 1.4), ("radial_profile", 0.5))
    }
    figures.plot_confusion(files, title="Euclid, test set", style=style, output=output)


def draw_transfer(folder: Path, style: Style, output: Sequence[Path]) -> None:
    rng = np.random.default_rng(0)
    rows = [
        {"domain": a, "target_domain": b, "model": model, "seed": seed, "value": value}
        for model, skill in (("vit_conv_stem", 0.9), ("radial_profile", 0.6))
        for a in ("euclid", "hst", "euclid_realistic")
        for b in ("euclid", "hst", "euclid_realistic", "euclid_soft")
        for seed in range(2)
        for value in [skill - 0.1 * (a != b) + rng.uniform(0, 0.05)]
    ]
    table = pd.DataFrame(rows).assign(metric="roc_auc_ovr_macro")
    table["ci_low"], table["ci_high"] = table["value"] - 0.02, table["value"] + 0.02
    table.to_csv(folder / "transfer.csv", index=False)
    figures.plot_transfer(folder / "transfer.csv", style=style, output=output)


def draw_history_classifier(folder: Path, style: Style, output: Sequence[Path]) -> None:
    files = {
        name: [write_history_classifier(folder / f"{name}{k}.csv", seed + k) for k in range(2)]
        for seed, name in ((0, "vit_conv_stem"), (10, "cnn"))
    }
    figures.plot_history_classifier(files, title="Euclid", style=style, output=output)


def draw_history_adda(folder: Path, style: Style, output: Sequence[Path]) -> None:
    files = _seeds(folder, "adda", write_history_adda, 2)
    figures.plot_history_adda(files, title="from Euclid to HST", style=style, output=output)


def draw_history_mae(folder: Path, style: Style, output: Sequence[Path]) -> None:
    files = _seeds(folder, "mae", write_history_mae, 2)
    figures.plot_history_mae(files, title="Euclid", style=style, output=output)


def draw_score_distributions(folder: Path, style: Style, output: Sequence[Path]) -> None:
    files = {
        "mae": _seeds(folder, "mae", write_scores, 1, shift=[0, 0.3, 0.6]),
        "pca": _seeds(folder, "pca", write_scores, 1, shift=[0, 0.1, 0.2]),
        "total_flux": _seeds(folder, "total_flux", write_scores, 1, shift=[9, 9, 9]),
    }
    figures.plot_score_distributions(files, title="Euclid", style=style, output=output)


def draw_reconstructions(folder: Path, style: Style, output: Sequence[Path]) -> None:
    examples = write_reconstructions(folder / "examples.npz")
    truth = write_convergence(folder / "convergence.npz")
    figures.plot_reconstructions(examples, truth, title="Euclid", style=style, output=output)


def draw_gallery(folder: Path, style: Style, output: Sequence[Path]) -> None:
    examples = write_gallery(folder / "examples.npz")
    figures.plot_gallery(examples, title="Euclid", style=style, output=output)


def draw_embedding(folder: Path, style: Style, output: Sequence[Path]) -> None:
    table = write_embedding(folder / "embedding.csv")
    figures.plot_embedding(table, title="ADDA", style=style, output=output)


def draw_adaptation_summary(folder: Path, style: Style, output: Sequence[Path]) -> None:
    table = write_adaptation(folder / "adaptation.csv")
    figures.plot_adaptation_summary(
        table, source_domain="euclid", target_domain="hst", style=style, output=output
    )


def draw_anomaly_summary(folder: Path, style: Style, output: Sequence[Path]) -> None:
    table = write_anomaly(folder / "anomaly.csv")
    figures.plot_anomaly_summary(table, domain="euclid", style=style, output=output)


def draw_strength(folder: Path, style: Style, output: Sequence[Path]) -> None:
    table = write_strength(folder / "strength.csv")
    figures.plot_strength(table, title="strength", style=style, output=output)


def draw_benchmark(folder: Path, style: Style, output: Sequence[str | Path]) -> None:
    rows = [
        (domain, substructure, 3, "render and noise", engine, speed, ratio)
        for domain in ("euclid", "hst")
        for substructure in ("no_sub", "cdm")
        for engine, speed, ratio in (("numba", 1500.0, 30.0), ("lenstronomy", 50.0, np.nan))
    ]
    columns = ["domain", "substructure", "supersampling_factor", "what", "engine"]
    columns += ["images_per_second", "ratio_to_lenstronomy"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "benchmark.csv", index=False)
    figures.plot_benchmark(folder / "benchmark.csv", style=style, output=output)


def draw_limit(folder: Path, style: Style, output: Sequence[str | Path]) -> None:
    rows = [
        ("no_sub", label, f_sub, magnitude, 0.99 - fall, 0.95 - fall, 0.9 - fall)
        for label in ("cdm", "vortex")
        for f_sub in (0.01, 0.05)
        for magnitude, fall in ((22.0, 0.0), (24.0, 0.2), (25.0, 0.35))
    ]
    columns = ["reference", "label", "f_sub", "magnitude"]
    columns += ["auc_pooled", "auc_oracle", "auc_bank"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "limit.csv", index=False)
    figures.plot_limit(folder / "limit.csv", title="Limit", style=style, output=output)


def draw_efficiency(folder: Path, style: Style, output: Sequence[str | Path]) -> None:
    rows = [
        ("no_sub", "cdm", model, f_sub, magnitude, value, value - 0.05, value + 0.05)
        for model, skill in (("vit_conv_stem", 0.8), ("radial_profile", 0.1))
        for f_sub in (0.01, 0.05)
        for magnitude in (22.0, 24.0)
        for value in (skill * (1 - (magnitude - 22) / 5 + f_sub),)
    ]
    names = ["reference", "label", "model", "f_sub", "magnitude"]
    columns = [*names, "efficiency", "efficiency_low", "efficiency_high"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "efficiency.csv", index=False)
    figures.plot_efficiency(folder / "efficiency.csv", title="Grid", style=style, output=output)


def draw_reliability(folder: Path, style: Style, output: Sequence[str | Path]) -> None:
    rows = [
        (model, seed, calibrated, low, low + 0.2, low + 0.1, low + gap, low, low + 0.3, 20)
        for model, seed in (("vit", "0"), ("vit", "1"), ("vit", "all"), ("radial_profile", "0"))
        for calibrated, gap in (("no", 0.2), ("yes", 0.1))
        if model == "vit" or calibrated == "no"
        for low in (0.2, 0.4, 0.6)
    ]
    columns = ["model", "seed", "calibrated", "bin_low", "bin_high", "confidence", "accuracy"]
    pd.DataFrame(rows, columns=[*columns, "ci_low", "ci_high", "n"]).to_csv(
        folder / "reliability.csv", index=False
    )
    figures.plot_reliability(folder / "reliability.csv", title="R", style=style, output=output)


def draw_regression(folder: Path, style: Style, output: Sequence[str | Path]) -> None:
    rng = np.random.default_rng(0)
    runs = []
    for label, target in (("cdm", "log10_mass_fraction"), ("vortex", "log10_axion_mass")):
        for seed in (0, 1):
            truth = rng.normal(-1, 0.3, 200)
            mean = 0.6 * truth - 0.4 + 0.2 * rng.normal(size=200)
            columns = {"truth": truth, "mean": mean, "std_raw": 0.15, "std": 0.23}
            path = _write(folder / f"{label}{seed}.csv", columns)
            run = {"substructure": label, "target": target, "model": "vit", "path": str(path)}
            runs.append(run)
    figures.plot_regression(runs, title="Regression, euclid", style=style, output=output)


def draw_study(folder: Path, style: Style, output: Sequence[str | Path]) -> None:
    rows = [
        (name, seed, "roc_auc_ovr_macro", value, value - 0.02, value + 0.02)
        for name, value in (("vit", 0.8), ("cnn", 0.9))
        for seed in (0, 1)
    ]
    columns = ["variant", "seed", "metric", "value", "ci_low", "ci_high"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "study.csv", index=False)
    keys = [(name, s, t) for name in ("vit", "cnn") for s in (0, 1) for t in (9, 18)]
    curve = [(*key, key[2] / 1e3, 0.7) for key in keys]
    columns = ["variant", "seed", "step", "tflop", "val_roc_auc_ovr_macro"]
    pd.DataFrame(curve, columns=columns).to_csv(folder / "curves.csv", index=False)
    files = folder / "study.csv", folder / "curves.csv"
    figures.plot_study("zoo", *files, title="Zoo", style=style, output=output)


def draw_pretraining(folder: Path, style: Style, output: Sequence[str | Path]) -> None:
    rows = [
        (start, n, seed, "roc_auc_ovr_macro", value := 0.5 + 0.1 * k, value - 0.02, value + 0.02)
        for start in ("pretrained", "scratch", "linear_probe", "shipped")
        for k, n in enumerate((60, 600, 6000))
        for seed in (0, 1)
    ]
    columns = ["start", "n_train", "seed", "metric", "value", "ci_low", "ci_high"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "pretraining.csv", index=False)
    table = folder / "pretraining.csv"
    figures.plot_pretraining(table, title="Pretraining", style=style, output=output)


def draw_sweep(folder: Path, style: Style, output: Sequence[str | Path]) -> None:
    settings = {"mask_ratio": ["0.25", "0.5", "0.75"], "loss": ["pixel", "chi2"], "depth": ["4"]}
    rows = [
        (factor, setting, score, seed, metric, value := 0.5 + 0.05 * k, value - 0.02, value + 0.02)
        for factor, values in settings.items()
        for k, setting in enumerate(values)
        for score in ("likelihood", "mse")
        for seed in (0, 1)
        for metric in ("roc_auc_any", "roc_auc_proxy")
    ]
    columns = ["factor", "setting", "score", "seed", "metric", "value", "ci_low", "ci_high"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "sweep.csv", index=False)
    shipped = {"mask_ratio": 0.5, "loss": "pixel"}
    table = folder / "sweep.csv"
    figures.plot_sweep(table, shipped=shipped, title="Sweep", style=style, output=output)


def draw_observed(folder: Path, style: Style, output: Sequence[str | Path]) -> None:
    examples = write_observed(folder / "observed.npz", 2)
    figures.plot_observed(examples, classes=CLASSES, title="Observed", style=style, output=output)


def write_observed(path: Path, n: int, *, residual: bool = True) -> Path:
    rng = np.random.default_rng(3)
    images = np.array([lens_image(1.0 + 0.3 * i, 0.1, np.empty((0, 3))) for i in range(n)])
    arrays: dict[str, Any] = {"lens": np.array([f"lens {i}" for i in range(n)]), "image": images}
    arrays["statement"] = np.repeat("outside the training domain: farther than all 1800", n)
    for name in CLASSES:
        arrays |= {f"p_{name}": rng.uniform(0, 0.6, n), f"p_{name}_std": rng.uniform(0, 0.3, n)}
    if residual:
        arrays["residual"] = rng.normal(size=images.shape)
    np.savez(path, pixel_scale=PIXEL_SCALE, **arrays)
    return path


def test_observed_lenses_without_a_masked_autoencoder_are_drawn(tmp_path: Path):
    examples = write_observed(tmp_path / "observed.npz", 1, residual=False)
    output = tmp_path / "observed.png"
    figures.plot_observed(examples, classes=CLASSES, title="", style=STYLE, output=[output])
    assert output.stat().st_size > 1000


def test_no_observed_lens_is_said(tmp_path: Path):
    np.savez(tmp_path / "observed.npz", pixel_scale=PIXEL_SCALE)
    output = tmp_path / "observed.png"
    given = {"classes": CLASSES, "title": "", "style": STYLE, "output": [output]}
    figures.plot_observed(tmp_path / "observed.npz", **given)
    assert output.stat().st_size > 500


def search_tables(folder: Path) -> tuple[Path, Path]:
    rng = np.random.default_rng(5)
    n = 12
    rate = 10 ** rng.uniform(-3.3, -2, n)
    area = 0.9 - 0.03 * np.square(np.log10(rate) + 2.6) + rng.normal(0, 0.004, n)
    pruned = np.arange(n) % 4 == 3
    table = pd.DataFrame(
        {
            "trial": np.arange(n),
            "shipped": np.arange(n) == 0,
            "state": np.where(pruned, "pruned", "complete"),
            "classifier.learning_rate": rate,
            "encoder.stem_widths": rng.choice(["[8, 16, 32]", "[16, 32, 64, 96]"], n),
            "encoder.depth": rng.integers(1, 7, n),
            "roc_auc_ovr_macro": np.where(pruned, area - 0.08, area),
            "ci_low": np.where(pruned, np.nan, area - 0.015),
            "ci_high": np.where(pruned, np.nan, area + 0.015),
        }
    )
    names = [name for name in table if "." in name]
    shares = pd.DataFrame({"parameter": names, "importance": [0.6, 0.3, 0.1]})
    shares["ci_low"], shares["ci_high"] = shares["importance"] / 2, shares["importance"] * 1.4
    table.to_csv(folder / "trials.csv", index=False)
    shares.to_csv(folder / "importance.csv", index=False)
    return folder / "trials.csv", folder / "importance.csv"


def draw_search_trials(folder: Path, style: Style, output: Sequence[str | Path]) -> None:
    figures.plot_search_trials(*search_tables(folder), title="Search", style=style, output=output)


def draw_search_parameters(folder: Path, style: Style, output: Sequence[str | Path]) -> None:
    figures.plot_search_parameters(
        *search_tables(folder), title="Search", style=style, output=output
    )


def draw_attribution(folder: Path, style: Style, output: Sequence[str | Path]) -> None:
    rng = np.random.default_rng(8)
    shape = (3, 16, 16)
    maps = ("kappa", "map_grad_cam", "map_grad_cam_stem", "map_rollout")
    np.savez(
        folder / "attribution.npz",
        label=np.array(["no_sub", "cdm", "vortex"]),
        probability=np.array([0.7, 0.9, 0.4]),
        image=rng.exponential(20.0, shape),
        difference=rng.normal(0, 10, shape),
        pixel_scale=np.float64(0.1),
        allow_pickle=False,
        **{name: rng.exponential(1.0, shape) for name in maps},
    )
    figures.plot_attribution(
        folder / "attribution.npz",
        encoder="vit_conv_stem",
        title="Euclid",
        style=style,
        output=output,
    )


DRAWINGS: dict[str, Draw] = {
    name.removeprefix("draw_"): function
    for name, function in list(globals().items())
    if name.startswith("draw_")
}
COMPARED = ("embedding.png", "roc_anomaly.pdf")


def draw_for_comparison(folder: str | Path) -> None:
    """Write a few figures into a new folder."""
    folder = Path(folder)
    folder.mkdir()
    for name in COMPARED:
        DRAWINGS[Path(name).stem](folder, STYLE, [folder / name])


def test_every_public_function_has_a_drawing_here():
    public = {name.removeprefix("plot_") for name in figures.__all__ if name.startswith("plot_")}
    assert public == set(DRAWINGS)


@pytest.mark.parametrize("name", DRAWINGS)
def test_every_figure_is_drawn(name: str, tmp_path: Path):
    DRAWINGS[name](tmp_path, STYLE, [tmp_path / "figure.png"])
    assert matplotlib.image.imread(tmp_path / "figure.png").std() > 0.01
    assert not list(tmp_path.rglob("*.partial"))


def test_the_same_tables_give_the_same_bytes_without_a_date_in_another_process(tmp_path: Path):
    # Another order of hashes shows whether a figure depends on the order of a set.
    source = [str(Path(__file__).parent), str(Path(figures.__file__).parents[2])]
    environment = {**os.environ, "PYTHONHASHSEED": "1", "PYTHONPATH": os.pathsep.join(source)}
    code = "import sys, test_figures; test_figures.draw_for_comparison(sys.argv[1])"
    there, here = tmp_path / "there", tmp_path / "here"
    subprocess.run([sys.executable, "-c", code, str(there)], check=True, env=environment)
    draw_for_comparison(here)
    for name in COMPARED:
        assert (here / name).read_bytes() == (there / name).read_bytes()
    content = (here / "roc_anomaly.pdf").read_bytes()
    assert content.startswith(b"%PDF")
    assert b"/Type3" not in content
    assert b"CreationDate" not in content


def test_roc_area_counts_pairs_and_ties_as_one_half():
    rng = np.random.default_rng(19)
    positive = rng.uniform(size=200) < 0.3
    score = np.round(rng.normal(size=200) + positive, 1)  # many ties
    difference = score[positive][:, None] - score[~positive]
    pairs = np.mean((difference > 0) + 0.5 * (difference == 0))
    assert roc_auc(positive, score) == pytest.approx(pairs, abs=1e-12)


def test_roc_curve_holds_the_rates_at_every_threshold():
    rng = np.random.default_rng(23)
    positive = rng.uniform(size=60) < 0.5
    score = rng.integers(0, 8, 60)
    fpr, tpr = roc_curve(positive, score)
    thresholds = np.unique(score)[::-1]
    expected_fpr = [np.mean(score[~positive] >= t) for t in thresholds]
    expected_tpr = [np.mean(score[positive] >= t) for t in thresholds]
    np.testing.assert_allclose(fpr, [0, *expected_fpr])
    np.testing.assert_allclose(tpr, [0, *expected_tpr])


def test_roc_area_of_a_constant_score_is_one_half():
    assert roc_auc(np.array([True, False, False]), np.zeros(3)) == 0.5


def test_confusion_matrix_counts_images_and_its_rows_sum_to_100_percent(tmp_path: Path):
    table = pd.read_csv(write_predictions(tmp_path / "p.csv", 0, skill=1.0))
    counts = confusion_matrix(table, CLASSES)
    chosen = table[["p_no_sub", "p_cdm", "p_vortex"]].idxmax(axis=1)
    assert counts[1, 2] == ((table["label"] == "cdm") & (chosen == "p_vortex")).sum()
    assert counts.sum() == len(table)
    np.testing.assert_allclose(row_percent(counts).sum(axis=1), 100)


def test_confusion_matrix_of_certain_predictions_is_diagonal():
    certain = pd.DataFrame({"label": ["a", "b", "b"], "p_a": [1, 0, 0], "p_b": [0, 1, 1]})
    np.testing.assert_array_equal(confusion_matrix(certain, ["a", "b"]), [[1, 0], [0, 2]])


def _without(path: Path, column: str) -> Path:
    pd.read_csv(path).drop(columns=column).to_csv(path, index=False)
    return path


MISSING = [
    ("system_id", write_scores, {"shift": [0, 0, 0]}, "roc_anomaly", lambda p: {"mae": [p]}),
    ("score", write_scores, {"shift": [0, 0, 0]}, "score_distributions", lambda p: {"mae": [p]}),
    ("label", write_predictions, {"skill": 1}, "confusion", lambda p: {"cnn": [p]}),
    ("label", write_predictions, {"skill": 1}, "roc_classification", lambda p: {"cnn": [p]}),
    ("val_loss", write_history_classifier, {}, "history_classifier", lambda p: {"cnn": [p]}),
    ("encoder_loss", write_history_adda, {}, "history_adda", lambda p: [p]),
    ("learning_rate", write_history_mae, {}, "history_mae", lambda p: [p]),
]


@pytest.mark.parametrize(("column", "write", "how", "name", "wrap"), MISSING)
def test_missing_columns_are_named(column, write, how, name, wrap, tmp_path: Path):
    path = _without(write(tmp_path / "table.csv", 0, **how), column)
    plot = getattr(figures, f"plot_{name}")
    with pytest.raises(ValueError, match=f"table.csv: column '{column}' is missing; expected"):
        plot(wrap(path), title="", style=STYLE, output=[tmp_path / "a.png"])
    assert not (tmp_path / "a.png").exists()


@pytest.mark.parametrize(
    ("column", "write", "name", "how"),
    [
        ("role", write_embedding, "embedding", {"title": ""}),
        ("bin_low", write_strength, "strength", {"title": ""}),
        ("ci_low", write_anomaly, "anomaly_summary", {"domain": "euclid"}),
        (
            "method",
            write_adaptation,
            "adaptation_summary",
            {"source_domain": "euclid", "target_domain": "hst"},
        ),
    ],
)
def test_missing_columns_of_one_table_are_named(column, write, name, how, tmp_path: Path):
    path = _without(write(tmp_path / "table.csv"), column)
    plot = getattr(figures, f"plot_{name}")
    with pytest.raises(ValueError, match=f"table.csv: column '{column}' is missing; expected"):
        plot(path, **how, style=STYLE, output=[tmp_path / "a.png"])


@pytest.mark.parametrize("content", ["", "label,score,system_id,index\n"])
def test_empty_tables_are_refused_by_name(content: str, tmp_path: Path):
    path = tmp_path / "scores.csv"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"scores\.csv: the (file is empty|table has no rows)"):
        figures.plot_roc_anomaly({"mae": [path]}, title="", style=STYLE, output=["a.png"])


@pytest.mark.parametrize("name", ["gallery", "reconstructions"])
def test_missing_arrays_are_named(name: str, tmp_path: Path):
    path = tmp_path / "examples.npz"
    np.savez(path, image=np.zeros((1, 8, 8)))
    plot = getattr(figures, f"plot_{name}")
    files = [path] if name == "gallery" else [path, path]
    with pytest.raises(ValueError, match=r"examples\.npz: array .*'label'.* is missing"):
        plot(*files, title="", style=STYLE, output=[tmp_path / "a.png"])


def test_the_substructure_of_other_images_is_refused(tmp_path: Path):
    examples = write_reconstructions(tmp_path / "examples.npz")
    other = write_convergence(tmp_path / "convergence.npz", n=1)
    with pytest.raises(ValueError, match=r"convergence\.npz: must hold .* of the images of"):
        figures.plot_reconstructions(examples, other, title="", style=STYLE, output=["a.png"])


def test_scores_that_are_not_numbers_are_refused_with_their_row(tmp_path: Path):
    path = write_scores(tmp_path / "scores.csv", 0, shift=[0, 0, 0], n=4)
    table = pd.read_csv(path)
    table.loc[2, "score"] = np.nan
    table.to_csv(path, index=False)
    with pytest.raises(ValueError, match=r"column 'score' holds 'nan' in row 3"):
        figures.plot_roc_anomaly({"mae": [path]}, title="", style=STYLE, output=["a.png"])


def test_a_class_without_images_is_refused(tmp_path: Path):
    path = write_predictions(tmp_path / "p.csv", 0, skill=1)
    table = pd.read_csv(path)
    table[table["label"] != "vortex"].to_csv(path, index=False)
    with pytest.raises(ValueError, match=r"p\.csv: column 'label' holds cdm, no_sub; expected"):
        figures.plot_confusion({"cnn": [path]}, title="", style=STYLE, output=["a.png"])


def test_domains_without_rows_are_refused(tmp_path: Path):
    path = write_anomaly(tmp_path / "anomaly.csv")
    with pytest.raises(ValueError, match=r"anomaly\.csv: no row of domain 'jwst'"):
        figures.plot_anomaly_summary(path, domain="jwst", style=STYLE, output=["a.png"])


def test_other_classes_models_and_two_classes_are_drawn_too(tmp_path: Path):
    rng = np.random.default_rng(29)
    p = rng.uniform(size=20)
    labels = np.repeat(["no_sub", "wdm"], 10)
    path = _write(tmp_path / "p.csv", {"label": labels, "p_no_sub": p, "p_wdm": 1 - p})
    output = [tmp_path / "a.png"]
    for plot in (figures.plot_roc_classification, figures.plot_confusion):
        plot({"resnet": [path]}, title="", style=STYLE, output=output)
    assert readable("wdm") == "wdm"
    assert len(set(colors_of(["no_sub", "cdm", "wdm", "sidm"]).values())) == 4


def test_a_gallery_draws_chains_of_points_and_classes_of_unequal_size(tmp_path: Path):
    path = write_gallery(tmp_path / "examples.npz", n=2)
    stored = dict(np.load(path))
    kept = np.arange(5)  # one vortex is gone
    stop = stored["perturber_offset"][5]
    for name in ("image", "label", "background_rms", "theta_E", "m_sub_total"):
        stored[name] = stored[name][kept]
    for name in ("x", "y", "mass", "length", "angle"):
        stored[f"perturber_{name}"] = stored[f"perturber_{name}"][:stop]
    stored["perturber_offset"] = stored["perturber_offset"][:6]
    stored["perturber_length"][:] = np.nan
    np.savez(path, **stored)
    figures.plot_gallery(path, title="", style=STYLE, output=[tmp_path / "a.png"])
    stored["perturber_offset"] = stored["perturber_offset"][:-1]
    np.savez(path, **stored)
    with pytest.raises(ValueError, match="perturber_offset"):
        figures.plot_gallery(path, title="", style=STYLE, output=[tmp_path / "b.png"])


def test_titles_call_domains_by_their_names():
    with apply_style(STYLE):
        figure, _ = new_figure(
            STYLE, rows=1, columns=1, height=2, title="ADDA from euclid to hst, euclid_other"
        )
    assert figure.get_suptitle() == "ADDA from Euclid to HST, euclid_other"


@pytest.mark.parametrize("output", [[], ["figure.svg"], ["figure.png", "figure"]])
def test_other_endings_than_png_and_pdf_are_refused(output: list[str], tmp_path: Path):
    with apply_style(STYLE):
        figure, _ = new_figure(STYLE, rows=1, columns=1, height=2)
        with pytest.raises(ValueError, match=r"\.png or \.pdf"):
            save(figure, [tmp_path / name for name in output])
    assert not list(tmp_path.iterdir())


def test_settings_of_matplotlib_are_as_before_and_those_of_the_user_do_not_count(tmp_path: Path):
    written = []
    for size in (10, 30):
        with matplotlib.rc_context({"axes.titlepad": size, "lines.linewidth": size}):
            draw_history_mae(tmp_path, STYLE, [tmp_path / "a.png"])
            assert matplotlib.rcParams["lines.linewidth"] == size
        written.append((tmp_path / "a.png").read_bytes())
    assert written[0] == written[1]
