"""Search of hyperparameters on validation images: workers that share one Optuna study.

The study is a journal file in a folder of ``state/`` that belongs to this configuration and data.
A worker that was killed marks what it left unfinished and starts it again; finished trials stay.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock
from optuna.trial import FrozenTrial, TrialState
from pydantic import ValidationError
from tqdm import tqdm

from lensml.data.files import write_json
from lensml.models.encoder_size import encoder_size
from lensml.schema.search import Choices, Range, Search, changes_of, space_around, values_of
from lensml.schema.studies import Recipe, resolve_variant, steps_of
from lensml.training.classification.variants import train_variant
from lensml.training.engine.checkpoint import fingerprint_of, remove_checkpoint
from lensml.training.engine.record import data_fingerprint
from lensml.training.engine.setting import Results, Setting

log = logging.getLogger(__name__)
STUDY = "search"
JOURNAL = "journal.log"
LOCK_GRACE = 30  # seconds after which the lock of a killed worker is broken


@dataclass(frozen=True)
class Shipped:
    """What a search starts from, and what trials are compared at.

    Attributes:
        recipe: encoder, classifier and input as they are shipped, at the length of a trial.
        num_pix: pixels per axis of the images, before they are cropped.
        n_train: training images per class.
        n_classes: number of classes.
    """

    recipe: Recipe
    num_pix: int
    n_train: int
    n_classes: int

    def changed(self, values: Mapping[str, Any]) -> Recipe:
        """The recipe with values of a trial.

        Raises:
            ValidationError: the values do not go together.
        """
        return resolve_variant(
            changes_of(values),
            encoder="shipped",
            encoders={"shipped": self.recipe.encoder},
            classifier=self.recipe.classifier,
            network_input=self.recipe.network_input,
        )

    def equal_steps(self, recipe: Recipe) -> int:
        """Steps that cost a recipe as many operations as a trial's epochs cost the shipped one."""
        shipped, own = (self._flops(each) for each in (self.recipe, recipe))
        steps = steps_of(recipe.classifier, n_train=self.n_train, n_classes=self.n_classes)
        return max(round(steps * shipped / own), 1)

    def _flops(self, recipe: Recipe) -> int:
        img_size = recipe.network_input.img_size(self.num_pix)
        return encoder_size(recipe.encoder, img_size)["flops"]


@dataclass(frozen=True)
class Work:
    """What a run with other values is made of.

    Attributes:
        train, validation: stores, in the order of the classes.
        symmetry: of the domain's population.
        setting: its state folder holds the checkpoint of the run.
        judge: validation AUC of trained weights, which also writes the predictions behind it:
            (weights, recipe, output) -> AUC.
    """

    train: Sequence[str]
    validation: Sequence[str]
    symmetry: str
    setting: Setting
    judge: Callable[[str, Recipe, str], float]


def study_folder(spec: Search, shipped: Shipped, work: Work, root: str | Path) -> Path:
    """Folder of the study that belongs to this configuration and data.

    The number of trials and of workers is not part of it: a search can be continued.
    """
    free = {"workers", "n_trials", "n_confirmed", "seeds", "domain"}
    content = [
        shipped.recipe.model_dump(),
        spec.model_dump(exclude=free),
        data_fingerprint([*work.train, *work.validation]),
        work.setting.seed,
        work.symmetry,
    ]
    return Path(root) / fingerprint_of(content)


def read_study(folder: Path) -> optuna.Study:
    """The study in a folder.

    Raises:
        ValueError: there is none.
    """
    if not (folder / JOURNAL).exists():
        raise ValueError(
            f"{folder}: the study is gone; run its workers again with --forcerun search_worker"
        )
    storage = JournalStorage(JournalFileBackend(str(folder / JOURNAL)))
    return optuna.load_study(study_name=STUDY, storage=storage)


def open_study(folder: Path, spec: Search, *, seed: int) -> optuna.Study:
    """The study in a folder, made if there is none."""
    folder.mkdir(parents=True, exist_ok=True)
    file = str(folder / JOURNAL)
    lock = JournalFileSymlinkLock(file, grace_period=LOCK_GRACE)
    return optuna.create_study(
        storage=JournalStorage(JournalFileBackend(file, lock_obj=lock)),
        study_name=STUDY,
        direction="maximize",
        load_if_exists=True,
        sampler=optuna.samplers.TPESampler(
            n_startup_trials=spec.n_startup_trials, multivariate=True, seed=seed
        ),
        pruner=optuna.pruners.MedianPruner(
            n_startup_trials=spec.n_startup_trials,
            n_warmup_steps=spec.n_warmup_evaluations + 1,
        ),
    )


def run_worker(
    worker: int, spec: Search, shipped: Shipped, work: Work, *, root: str | Path, record: str
) -> None:
    """Run this worker's share of the trials.

    Args:
        worker: number from 0; worker 0 begins with the shipped recipe.
        spec: space and number of trials.
        shipped: what the search starts from.
        work: data, setting and judge.
        root: folder of studies.
        record: JSON to write at the end: where the study lies.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    optuna.logging.enable_propagation()
    spec = spec.model_copy(update={"space": space_around(shipped.recipe, spec)})
    folder = study_folder(spec, shipped, work, root)
    quota = len(range(worker, spec.n_trials, spec.workers))
    done = len(_own(open_study(folder, spec, seed=0), worker))
    study = open_study(folder, spec, seed=_sampler_seed(work.setting.seed, worker, done))
    _start_again(study, worker)
    if worker == 0 and not any(
        "shipped" in t.user_attrs for t in study.get_trials(deepcopy=False)
    ):
        study.enqueue_trial(_encoded(spec, shipped), user_attrs={"shipped": True})
    with tqdm(total=quota, desc=work.setting.label, unit="trial", disable=None) as bar:
        bar.update(len(_own(study, worker)))
        while len(_own(study, worker)) < quota:
            _run_trial(study, worker, spec, shipped, work, folder)
            bar.update()
    write_json(record, {"study": str(folder), "worker": worker, "n_trials": quota})


def _sampler_seed(seed: int, worker: int, done: int) -> int:
    return int(fingerprint_of([seed, worker, done])[:8], 16) % 2**31


def _encoded(spec: Search, shipped: Shipped) -> dict[str, Any]:
    values = values_of(shipped.recipe, spec.space)
    return {
        name: json.dumps(value) if isinstance(spec.space[name], Choices) else value
        for name, value in values.items()
    }


def _own(study: optuna.Study, worker: int) -> list[FrozenTrial]:
    """Finished trials of a worker; those of recipes that are not allowed count, too."""
    return [t for t in finished_trials(study) if t.user_attrs.get("worker") == worker]


def finished_trials(study: optuna.Study) -> list[FrozenTrial]:
    """Finished trials without those that were interrupted and run again."""
    trials = study.get_trials(deepcopy=False)
    again = {t.user_attrs.get("repeats") for t in trials}
    return [t for t in trials if t.state.is_finished() and t.number not in again]


def _start_again(study: optuna.Study, worker: int) -> None:
    """Put what this worker left running back into the queue."""
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        if trial.user_attrs.get("worker") == worker:
            log.info("trial %d was interrupted and is run again", trial.number)
            again = {"repeats": trial.number}
            if trial.user_attrs.get("shipped"):
                again["shipped"] = True
            study.enqueue_trial(trial.params, user_attrs=again)
            study.tell(trial.number, state=TrialState.FAIL)


def _suggest(trial: optuna.Trial, space: Mapping[str, Range | Choices]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, allowed in space.items():
        if isinstance(allowed, Choices):
            values[name] = json.loads(trial.suggest_categorical(name, allowed.labels))
        elif allowed.whole:
            low, high = int(allowed.low), int(allowed.high)
            values[name] = trial.suggest_int(name, low, high, log=allowed.log)
        else:
            values[name] = trial.suggest_float(name, allowed.low, allowed.high, log=allowed.log)
    return values


def _run_trial(
    study: optuna.Study, worker: int, spec: Search, shipped: Shipped, work: Work, folder: Path
) -> None:
    trial = study.ask()
    trial.set_user_attr("worker", worker)
    values = _suggest(trial, spec.space)
    try:
        recipe = shipped.changed(values)
        value = _train(trial, recipe, shipped, work, folder)
    except optuna.TrialPruned:
        log.info("trial %d: pruned, %s", trial.number, values)
        study.tell(trial, state=TrialState.PRUNED)
    except (ValidationError, ArithmeticError, ValueError) as error:
        reason = " ".join(str(error).split())
        log.warning("trial %d: failed, %s: %s", trial.number, values, reason)
        trial.set_user_attr("reason", reason)
        study.tell(trial, state=TrialState.FAIL)
    else:
        log.info("trial %d: validation AUC %.4f, %s", trial.number, value, values)
        study.tell(trial, value)
    remove_checkpoint(work.setting.state)


def _train(
    trial: optuna.Trial, recipe: Recipe, shipped: Shipped, work: Work, folder: Path
) -> float:
    """Validation AUC of a trial's recipe, trained with as many operations as the shipped one."""
    evaluations = recipe.classifier.epochs * recipe.classifier.evaluations_per_epoch

    reported = 0

    def watch(fraction: float, auc: float) -> None:
        nonlocal reported
        number = round(fraction * evaluations)
        if number == reported:
            return  # fewer steps than evaluations
        reported = number
        trial.report(auc, number)
        if trial.should_prune() and not trial.user_attrs.get("shipped"):
            raise optuna.TrialPruned

    name = folder / f"trial{trial.number}"
    files = ("weights.safetensors", "history.csv", "run.json")
    results = Results(*(str(name / file) for file in files))
    one_device = work.setting.compute.model_copy(update={"devices": 1})
    setting = replace(work.setting, compute=one_device)
    predictions = str(name / "validation.csv")
    work = replace(work, setting=setting)
    return train_changed(recipe, shipped, work, results, predictions, watch)


def train_changed(
    recipe: Recipe,
    shipped: Shipped,
    work: Work,
    results: Results,
    validation_predictions: str,
    watch: Callable[[float, float], None] | None = None,
) -> float:
    """Train a recipe with as many operations as the shipped one takes.

    Args:
        recipe: what is trained.
        shipped: what its length is equal to.
        work: data, setting and judge.
        results: files of the run.
        validation_predictions: CSV file.
        watch: see :func:`lensml.training.classification.run.fit_classifier`.

    Returns:
        Validation AUC of :attr:`Work.judge`.
    """
    train_variant(
        work.train,
        work.validation,
        results,
        encoder=recipe.encoder,
        classifier=recipe.classifier,
        symmetry=work.symmetry,
        setting=replace(work.setting, network_input=recipe.network_input),
        steps=shipped.equal_steps(recipe),
        watch=watch,
    )
    return work.judge(results.weights, recipe, validation_predictions)
