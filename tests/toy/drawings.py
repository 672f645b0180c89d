"""A drawing of every figure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from lensml import figures
from lensml.figures.style import Style
from toy.figure_tables import (
    CLASSES,
    STYLE,
    Draw,
    of_seeds,
    search_tables,
    write_adaptation,
    write_anomaly,
    write_columns,
    write_convergence,
    write_criteria,
    write_embedding,
    write_found,
    write_gallery,
    write_history_adda,
    write_history_classifier,
    write_history_mae,
    write_observed,
    write_observed_model,
    write_predictions,
    write_reconstructions,
    write_scores,
    write_strength,
)


def draw_roc_classification(folder: Path, style: Style, output: Sequence[Path]) -> None:
    files = {
        name: of_seeds(folder, name, write_predictions, 3, skill=skill)
        for name, skill in (("vit_conv_stem", 2.0), ("cnn", 1.4), ("radial_profile", 0.5))
    }
    figures.plot_roc_classification(files, title="Euclid, test set", style=style, output=output)


def draw_roc_adaptation(folder: Path, style: Style, output: Sequence[Path]) -> None:
    files = {
        name: of_seeds(folder, name, write_predictions, 1, skill=skill)
        for name, skill in (("source_only", 0.6), ("adabn", 1.0), ("adda", 1.5), ("oracle", 2.0))
    }
    figures.plot_roc_adaptation(files, title="from Euclid to HST", style=style, output=output)


def draw_roc_anomaly(folder: Path, style: Style, output: Sequence[Path]) -> None:
    files = {
        "mae": of_seeds(folder, "mae", write_scores, 2, shift=[0, 0.2, 0.4]),
        "pca": of_seeds(folder, "pca", write_scores, 1, shift=[0, 0.1, 0.2]),
        "total_flux": of_seeds(folder, "total_flux", write_scores, 1, shift=[0, 0, 0]),
    }
    figures.plot_roc_anomaly(files, title="anomaly detection", style=style, output=output)


def draw_confusion(folder: Path, style: Style, output: Sequence[Path]) -> None:
    files = {
        name: of_seeds(folder, name, write_predictions, 2, skill=skill)
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
    labels = {"euclid": "Euclid", "hst": "HST"}
    figures.plot_transfer(folder / "transfer.csv", labels=labels, style=style, output=output)


def draw_history_classifier(folder: Path, style: Style, output: Sequence[Path]) -> None:
    files = {
        name: [write_history_classifier(folder / f"{name}{k}.csv", seed + k) for k in range(2)]
        for seed, name in ((0, "vit_conv_stem"), (10, "cnn"))
    }
    figures.plot_history_classifier(files, title="Euclid", style=style, output=output)


def draw_history_adda(folder: Path, style: Style, output: Sequence[Path]) -> None:
    files = of_seeds(folder, "adda", write_history_adda, 2)
    figures.plot_history_adda(files, title="from Euclid to HST", style=style, output=output)


def draw_history_mae(folder: Path, style: Style, output: Sequence[Path]) -> None:
    files = of_seeds(folder, "mae", write_history_mae, 2)
    figures.plot_history_mae(files, title="Euclid", style=style, output=output)


def draw_score_distributions(folder: Path, style: Style, output: Sequence[Path]) -> None:
    files = {
        "mae": of_seeds(folder, "mae", write_scores, 1, shift=[0, 0.3, 0.6]),
        "pca": of_seeds(folder, "pca", write_scores, 1, shift=[0, 0.1, 0.2]),
        "total_flux": of_seeds(folder, "total_flux", write_scores, 1, shift=[9, 9, 9]),
    }
    figures.plot_score_distributions(files, title="Euclid", style=style, output=output)


def draw_reconstructions(folder: Path, style: Style, output: Sequence[Path]) -> None:
    examples = write_reconstructions(folder / "examples.npz")
    truth = write_convergence(folder / "convergence.npz")
    figures.plot_reconstructions(examples, truth, title="Euclid", style=style, output=output)


def draw_found(folder: Path, style: Style, output: Sequence[Path]) -> None:
    examples = write_found(folder / "examples.npz")
    figures.plot_found(examples, title="Euclid", style=style, output=output)


def draw_gallery(folder: Path, style: Style, output: Sequence[Path]) -> None:
    examples = write_gallery(folder / "examples.npz")
    figures.plot_gallery(examples, title="Euclid", style=style, output=output)


def draw_embedding(folder: Path, style: Style, output: Sequence[Path]) -> None:
    table = write_embedding(folder / "embedding.csv")
    labels = {"euclid": "Euclid", "hst": "HST"}
    figures.plot_embedding(table, title="ADDA", labels=labels, style=style, output=output)


def draw_adaptation_summary(folder: Path, style: Style, output: Sequence[Path]) -> None:
    table = write_adaptation(folder / "adaptation.csv")
    figures.plot_adaptation_summary(
        table,
        source_domain="euclid",
        target_domain="hst",
        title="Adaptation from Euclid to HST",
        style=style,
        output=output,
    )


def draw_pairs(folder: Path, style: Style, output: Sequence[Path]) -> None:
    tables = [write_adaptation(folder / f"{name}.csv") for name in ("here", "there")]
    labels = {"euclid": "Euclid", "hst": "HST"}
    figures.plot_pairs(tables, labels=labels, title="pairs", style=style, output=output)


def draw_criteria(folder: Path, style: Style, output: Sequence[Path]) -> None:
    table = write_criteria(folder / "criteria.csv")
    labels = {"euclid": "Euclid", "hst": "HST", "jwst": "JWST"}
    figures.plot_criteria(table, labels=labels, title="criteria", style=style, output=output)


def draw_anomaly_summary(folder: Path, style: Style, output: Sequence[Path]) -> None:
    table = write_anomaly(folder / "anomaly.csv")
    figures.plot_anomaly_summary(
        table, domain="euclid", title="Euclid", style=style, output=output
    )


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
    labels = {"euclid": "Euclid", "hst": "HST"}
    figures.plot_benchmark(folder / "benchmark.csv", labels=labels, style=style, output=output)


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
            path = write_columns(folder / f"{label}{seed}.csv", columns)
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


def draw_observed_model(folder: Path, style: Style, output: Sequence[str | Path]) -> None:
    examples = write_observed_model(folder / "observed_model.npz")
    figures.plot_observed_model(examples, title="A lens", style=style, output=output)


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
