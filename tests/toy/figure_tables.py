"""Tables and arrays of which figures are made."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lensml.figures.style import Style

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
    return write_columns(path, _systems(n) | {"label": np.array(CLASSES)[labels]} | columns)


def write_scores(path: Path, seed: int, *, shift: Sequence[float], n: int = 120) -> Path:
    """Scores with a long upper tail; ``shift`` is that of each class."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(3), n)
    score = 0.01 * np.exp(0.3 * rng.normal(size=3 * n) + np.array(shift)[labels])
    return write_columns(path, _systems(n) | {"label": np.array(CLASSES)[labels], "score": score})


def _systems(n: int) -> dict[str, np.ndarray]:
    index = np.tile(np.arange(n), 3)
    return {"system_id": np.array([f"euclid-test-{i:06d}" for i in index]), "index": index}


def write_columns(path: Path, columns: dict) -> Path:
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
    return write_columns(path, columns)


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
    return write_columns(path, columns)


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
    return write_columns(path, columns)


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


def write_found(path: Path) -> Path:
    rng = np.random.default_rng(4)
    true = np.zeros((3, 48, 48))
    true[1:, 20:24, 30] = 0.02
    kappa = true + rng.normal(0, 2e-3, true.shape)
    np.savez(
        path,
        label=np.array(CLASSES),
        image=rng.normal(1, 0.3, true.shape),
        residual=rng.normal(size=true.shape) + 100 * true,
        kappa=kappa,
        kappa_std=np.full(true.shape, 2e-3),
        true_kappa=true,
        correlation=np.array([np.nan, 0.61, 0.58]),
        pixel_scale=np.array(0.1),
    )
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


def write_criteria(path: Path) -> Path:
    rng = np.random.default_rng(12)
    rows = [
        (*pair, criterion, 0, metric, value + 0.05 * rng.normal())
        for pair in (("euclid", "hst"), ("euclid", "jwst"), ("every pair", "every pair"))
        for k, criterion in enumerate(["im", "mmd", "snd", "at random"])
        for metric, value in (("spearman", 0.8 - 0.3 * k), ("accuracy_regret", 0.02 + 0.1 * k))
        if (metric, criterion) != ("spearman", "at random")
    ]
    keys = ["source_domain", "target_domain", "criterion", "seed", "metric", "value"]
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


def of_seeds(folder: Path, name: str, write: Callable[..., Path], n: int, **how: object) -> list:
    return [write(folder / f"{name}{seed}.csv", seed, **how) for seed in range(n)]


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


def write_observed_model(path: Path, *, filtered: bool = True) -> Path:
    rng = np.random.default_rng(6)
    image = lens_image(1.0, 0.1, np.empty((0, 3)))
    half = len(image) * PIXEL_SCALE / 2
    arrays: dict[str, Any] = {
        **{
            "image": image,
            "arcs": image,
            "model": image,
            "residual": rng.normal(size=image.shape),
        },
        **{"extent": np.array([-half, half, -half, half]), "source": rng.uniform(size=(20, 20))},
        **{"source_extent": np.array([-0.5, 0.5, -0.5, 0.5]), "theta_E": np.array(1.0)},
        "center": np.zeros(2),
    }
    if filtered:
        maps = {"convergence": rng.normal(size=(41, 41)), "convergence_error": np.ones((41, 41))}
        arrays |= maps | {"convergence_axis": np.linspace(-2, 2, 41), "log_evidence": np.array(3)}
    np.savez(path, **arrays)
    return path


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
