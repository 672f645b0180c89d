"""What a search found: table of its trials, importance, candidates, and the recipe to ship."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import yaml
from optuna.distributions import CategoricalDistribution
from optuna.trial import FrozenTrial, TrialState

from lensml.data.files import write_bytes, write_csv, write_json
from lensml.evaluation.classification.metrics import classification_metrics
from lensml.evaluation.classification.predict import predict
from lensml.evaluation.statistics.bootstrap import interval
from lensml.evaluation.statistics.comparison import auc_gain
from lensml.evaluation.statistics.predictions import read_predictions
from lensml.evaluation.statistics.tables import write_formats
from lensml.schema.search import changes_of
from lensml.schema.studies import SHIPPED, Recipe
from lensml.schema.training import Evaluation
from lensml.training.classification.search import finished_trials, read_study
from lensml.training.classification.task import macro_auc
from lensml.training.engine.setting import Setting

log = logging.getLogger(__name__)
AUC = "roc_auc_ovr_macro"
RESAMPLINGS = 50  # of the trials, for the intervals of the importance
DIGITS = 3  # significant ones of the numbers that a search proposes
CAPTION = (
    "Trials of the search, best first. AUC: mean over classes on the validation images, averaged "
    "over symmetries, with the {confidence:.0%} bootstrap interval over lens systems; one seed "
    "each, so that the best is best in part by luck. Gain: paired difference from the shipped "
    "recipe. Pruned trials: AUC without averaging when they were stopped."
)


def tabulate_trials(
    records: Sequence[str],
    outputs: Sequence[str],
    importance: str,
    candidates: str,
    spec: Evaluation,
    *,
    n_confirmed: int,
    seed: int,
) -> None:
    """Table of the trials, importance of the parameters, and the trials that are trained again.

    Args:
        records: JSON of the workers, which name the study.
        outputs: the .csv, .html, .md and .tex files to write.
        importance: CSV of the parameters with intervals over resampled trials.
        candidates: JSON of the shipped recipe and of the best others by rank, with their values.
        spec: bootstrap.
        n_confirmed: number of the best others.
        seed: of the bootstrap.

    Raises:
        ValueError: the study is gone, or too few trials were finished.
    """
    folder = Path(json.loads(Path(records[0]).read_text())["study"])
    trials = finished_trials(read_study(folder))
    shipped = next((t for t in _complete(trials) if t.user_attrs.get("shipped")), None)
    if shipped is None:
        raise ValueError(f"{folder}: the trial of the shipped recipe is not in this study")
    others = [t for t in _complete(trials) if t.number != shipped.number]
    if len(others) < n_confirmed:
        raise ValueError(
            f"search.n_confirmed = {n_confirmed}: only {len(others)} trials beside the shipped "
            "recipe were finished"
        )
    rows = [_row(t, shipped, folder, spec, seed) for t in trials]
    table = pd.DataFrame(rows).sort_values(AUC, ascending=False, na_position="last")
    _write_trials(table, outputs, spec)
    write_csv(importance, _importance(_complete(trials), spec, seed), float_format="%.6f")
    best = sorted(others, key=lambda t: -_value(t))[:n_confirmed]
    chosen = {SHIPPED: shipped} | {f"rank{k}": t for k, t in enumerate(best, 1)}
    write_json(
        candidates,
        {n: {"trial": t.number, "values": proposed(t, n)} for n, t in chosen.items()},
    )


def _complete(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    return [t for t in trials if t.state == TrialState.COMPLETE]


def _value(trial: FrozenTrial) -> float:
    return float(trial.value) if trial.value is not None else float("nan")


def values_of_trial(trial: FrozenTrial) -> dict[str, Any]:
    """Values of a trial by parameter; choices are kept as text in a study."""
    return {
        name: json.loads(value)
        if isinstance(trial.distributions[name], CategoricalDistribution)
        else value
        for name, value in trial.params.items()
    }


def proposed(trial: FrozenTrial, name: str) -> dict[str, Any]:
    """Values of a candidate: rounded, as a person would write them; none for the shipped."""
    if name == SHIPPED:
        return {}
    return {
        key: float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value
        for key, value in values_of_trial(trial).items()
    }


def _row(
    trial: FrozenTrial, shipped: FrozenTrial, folder: Path, spec: Evaluation, seed: int
) -> dict[str, Any]:
    values = {key: _cell(value) for key, value in values_of_trial(trial).items()}
    row: dict[str, Any] = {
        "trial": trial.number,
        "shipped": trial.number == shipped.number,
        "state": trial.state.name.lower(),
        **values,
    }
    if trial.state == TrialState.COMPLETE:
        path = _predictions(folder, trial)
        measured = classification_metrics(path, spec, seed=seed)[0]
        row |= {AUC: measured.value, "ci_low": measured.ci_low, "ci_high": measured.ci_high}
        if trial.number != shipped.number:
            gain = auc_gain(path, _predictions(folder, shipped), spec, seed=seed)
            row |= {"gain": gain.value, "gain_low": gain.ci_low, "gain_high": gain.ci_high}
    elif trial.intermediate_values:
        row[AUC] = trial.intermediate_values[max(trial.intermediate_values)]
    return row


def _cell(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, list) else value


def _predictions(folder: Path, trial: FrozenTrial) -> str:
    return str(folder / f"trial{trial.number}" / "validation.csv")


def _write_trials(table: pd.DataFrame, outputs: Sequence[str], spec: Evaluation) -> None:
    """As CSV in numbers, as Markdown and LaTeX in texts."""
    shown = pd.DataFrame({"trial": [f"{t}" for t in table["trial"]]})
    shown["state"] = np.where(table["shipped"], "shipped", table["state"])
    first, last = list(table.columns).index("state") + 1, list(table.columns).index(AUC)
    for name in table.columns[first:last]:
        shown[name.partition(".")[2]] = [_short(value) for value in table[name]]
    for name, value, low, high in (
        (AUC, AUC, "ci_low", "ci_high"),
        ("gain", "gain", "gain_low", "gain_high"),
    ):
        shown[name] = [
            _interval(*row) for row in table[[value, low, high]].itertuples(index=False)
        ]
    caption = CAPTION.format(confidence=spec.confidence)
    write_formats(outputs, table, shown, caption)


def _short(value: Any) -> str:
    return f"{value:.{DIGITS}g}" if isinstance(value, float) else str(value)


def _interval(value: float, low: float, high: float) -> str:
    if np.isnan(value):
        return "–"
    return f"{value:.3f}" if np.isnan(low) else f"{value:.3f} [{low:.3f}, {high:.3f}]"


def _importance(trials: Sequence[FrozenTrial], spec: Evaluation, seed: int) -> pd.DataFrame:
    """Share of the variance over finished trials that each parameter explains (fANOVA).

    Hutter et al. 2014, ICML. The interval is over resampled trials: few trials say little.
    """
    rng = np.random.default_rng(seed)
    samples = [_fanova(trials, seed)]
    for _ in range(RESAMPLINGS):
        drawn = [trials[i] for i in rng.integers(len(trials), size=len(trials))]
        samples.append(_fanova(drawn, seed))
    names = list(trials[0].params)
    shares = np.array([[sample.get(name, 0.0) for name in names] for sample in samples])
    ends = [interval(shares[1:, k], spec.confidence) for k in range(len(names))]
    table = pd.DataFrame(
        {
            "parameter": names,
            "importance": shares[0],
            "ci_low": [low for low, _ in ends],
            "ci_high": [high for _, high in ends],
        }
    )
    return table.sort_values("importance", ascending=False)


def _fanova(trials: Sequence[FrozenTrial], seed: int) -> dict[str, float]:
    """Importance by parameter; nothing where all trials are alike."""
    study = optuna.create_study(direction="maximize")
    study.add_trials(trials)
    if len({t.value for t in trials}) < 2:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=seed)
    return optuna.importance.get_param_importances(study, evaluator=evaluator)


def judge_with(
    validation: Sequence[str], classes: Sequence[str], symmetry: str, setting: Setting
) -> Callable[[str, Recipe, str], float]:
    """Judge of a search: the macro AUC on validation images.

    It is averaged over symmetries if the recipe's predictions are.

    Args:
        validation: stores, one per class.
        classes: names in the order of the stores.
        symmetry: of the domain's population.
        setting: of the worker.
    """

    def judge(weights: str, recipe: Recipe, output: str) -> float:
        averaged = recipe.classifier.test_time_augmentation
        predict(
            validation,
            weights,
            output,
            classes=classes,
            encoder=recipe.encoder,
            symmetry=symmetry if averaged else "none",
            setting=replace(setting, network_input=recipe.network_input),
        )
        _, label, probabilities, _ = read_predictions(output)
        return macro_auc(label, probabilities)

    return judge


def candidate_values(candidates: str, name: str) -> dict[str, Any]:
    """Values of a candidate from the file of :func:`tabulate_trials`."""
    return json.loads(Path(candidates).read_text())[name]["values"]


def choose_recipe(
    table: str, candidates: str, output: str, *, encoder: str, spec: Evaluation
) -> None:
    """Overlay of the candidate with the best mean AUC over seeds on validation images.

    Args:
        table: CSV of the candidates that were trained again.
        candidates: JSON of :func:`tabulate_trials`.
        output: YAML file to be used as a further configuration file.
        encoder: name of the encoder that was searched.
        spec: confidence of the intervals.
    """
    results = pd.read_csv(table)
    means = (
        results.loc[results["metric"] == AUC].groupby("variant")["value"].agg(["mean", "count"])
    )
    name = str(means["mean"].idxmax())
    values = candidate_values(candidates, name)
    lines = [
        f"# The best of {len(means)} candidates by validation AUC, mean of "
        f"{means['count'].max()} seeds: {name}, {means.loc[name, 'mean']:.4f}.",
        f"# The shipped recipe: {means.loc[SHIPPED, 'mean']:.4f}.",
    ]
    gain = results.loc[(results["metric"] == f"{AUC}_gain") & (results["variant"] == name)]
    if len(gain):
        low, high = gain["ci_low"].mean(), gain["ci_high"].mean()
        lines.append(
            f"# Paired gain {gain['value'].mean():+.4f}, mean {spec.confidence:.0%} interval over "
            f"lens systems [{low:+.4f}, {high:+.4f}]."
        )
    overlay = _overlay(values, encoder)
    text = yaml.safe_dump(overlay, sort_keys=False, default_flow_style=None)
    write_bytes(output, "\n".join([*lines, text]).encode())


def _overlay(values: Mapping[str, Any], encoder: str) -> dict[str, Any]:
    changes = changes_of(values)
    overlay = {
        "encoders": {encoder: changes.encoder_changes} if changes.encoder_changes else {},
        "classifier": changes.classifier,
        "network_input": changes.network_input,
    }
    return {section: content for section, content in overlay.items() if content}
