"""Speed of training: precision, compilation, several processes, the pieces of a step."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import toy_study
from safetensors.torch import load_file
from torch import Tensor
from toy_stores import IN_MEMORY, NETWORK_INPUT, blobs, noise, write_store

from lensml.data.torch_dataset import Images
from lensml.evaluation.speed.training import (
    MASKED_AUTOENCODER,
    Recipes,
    benchmark_training,
)
from lensml.models.encoders import build_classifier
from lensml.models.mae import MaskedAutoencoder
from lensml.models.symmetry import SYMMETRIES, apply_elements, transform
from lensml.schema import encoders as encoder_schema
from lensml.schema import training as schema
from lensml.schema.anomaly import Mae
from lensml.schema.speed import TrainingSpeed
from lensml.simulate.dataset import pool_unlabelled
from lensml.training.adaptation.adda import AddaTask
from lensml.training.anomaly.mae import MaeTask
from lensml.training.anomaly.mae_run import train_mae
from lensml.training.classification.run import train_classifier
from lensml.training.classification.task import ClassifierTask
from lensml.training.engine.checkpoint import FILE, load_checkpoint, save_checkpoint
from lensml.training.engine.execution import FLOAT32, Execution, execution_of
from lensml.training.engine.losses import READ_EVERY, Losses
from lensml.training.engine.parallel import on_every_device
from lensml.training.engine.random_state import random_state, restore_random_state
from lensml.training.engine.ranks import rank, share, weight_of
from lensml.training.engine.setting import Results, Setting
from lensml.training.engine.stopwatch import PIECES, Stopwatch

CPU = torch.device("cpu")
TRANSFORMER: dict[str, Any] = {
    "embed_dim": 16,
    "depth": 1,
    "num_heads": 2,
    "mlp_ratio": 2.0,
    "init_values": 0.1,
    "drop_path_rate": 0.0,
}
VIT = encoder_schema.Vit(kind="vit", patch_size=4, **TRANSFORMER)
STEM = encoder_schema.VitConvStem(kind="vit_conv_stem", stem_widths=[4, 4], **TRANSFORMER)
OPTIMIZATION = toy_study.OPTIMIZATION | {
    "batch_size": 12,
    "learning_rate": 3e-3,
    "warmup_fraction": 0.1,
}
CLASSIFIER = toy_study.CLASSIFIER.model_copy(
    update={**OPTIMIZATION, "epochs": 2, "label_smoothing": 0.0}
)
MAE = Mae(
    **OPTIMIZATION,
    epochs=2,
    patch_size=4,
    mask_ratio=0.5,
    loss="pixel",
    embed_dim=16,
    depth=1,
    num_heads=2,
    mlp_ratio=2.0,
    decoder_embed_dim=8,
    decoder_depth=1,
    decoder_num_heads=2,
)
ADDA = toy_study.ADDA.model_copy(update={"steps": 4, "warmup_steps": 1})

pytestmark = pytest.mark.usefixtures("one_torch_thread")


@pytest.fixture(scope="module")
def stores(tmp_path_factory) -> dict[str, list[str]]:
    """Training and validation stores of two classes, and a pool."""
    folder = tmp_path_factory.mktemp("stores")
    rng = np.random.default_rng(0)
    made = {}
    for split, n in (("train", 42), ("val", 24)):
        images = {"no_sub": noise(n, rng), "cdm": blobs(n, rng)}
        made[split] = [
            write_store(folder / name / f"{split}.zarr", x, substructure=name)
            for name, x in images.items()
        ]
    pool_unlabelled(folder / "pool" / "train.zarr", made["train"], seed=1)
    return {**made, "pool": [str(folder / "pool" / "train.zarr")]}


def images_of(paths: list[str], **options: Any) -> Images:
    return Images(paths, NETWORK_INPUT, max_memory_fraction=IN_MEMORY, **options)


def setting_with(folder: Path, **compute: Any) -> Setting:
    given = {"device": "cpu", "threads": 1, "max_memory_fraction": IN_MEMORY, **compute}
    return Setting(NETWORK_INPUT, schema.Compute(**given), 0, str(folder / "state"), "toy")


def results_in(folder: Path) -> Results:
    return Results(*(str(folder / n) for n in ("weights.safetensors", "history.csv", "run.json")))


def classifier_task(
    stores: dict, execution: Execution = FLOAT32, **options: Any
) -> ClassifierTask:
    return ClassifierTask(
        build_classifier(VIT, img_size=16, num_classes=2, seed=0),
        images_of(stores["train"]),
        images_of(stores["val"]),
        spec=CLASSIFIER,
        steps=60,
        seed=0,
        symmetry="square",
        label_smoothing=0.0,
        ema_decay=0.9,
        paired=True,
        device=CPU,
        execution=execution,
    )


def mae_task(stores: dict, execution: Execution = FLOAT32) -> MaeTask:
    torch.manual_seed(0)
    return MaeTask(
        MaskedAutoencoder(MAE, 16),
        images_of(stores["train"][1:]),
        images_of(stores["val"][1:]),
        spec=MAE,
        steps=60,
        seed=0,
        symmetry="square",
        device=CPU,
        execution=execution,
    )


def adda_task(stores: dict, execution: Execution = FLOAT32) -> AddaTask:
    return AddaTask(
        build_classifier(STEM, img_size=16, num_classes=2, seed=0).encoder,
        images_of(stores["train"]),
        images_of(stores["pool"], labelled=False),
        spec=ADDA,
        seed=0,
        source_symmetry="square",
        target_symmetry="square",
        device=CPU,
        execution=execution,
    )


def train(
    stores: dict, folder: Path, encoder: encoder_schema.Encoder = VIT, **compute: Any
) -> dict:
    train_classifier(
        stores["train"],
        stores["val"],
        results_in(folder),
        encoder=encoder,
        classifier=CLASSIFIER,
        symmetry="square",
        setting=setting_with(folder, **compute),
    )
    return load_file(folder / "weights.safetensors")


# Precision


def test_precision_is_float32_on_a_cpu_unless_bfloat16_is_asked_for(tmp_path):
    for asked, expected in (("auto", "float32"), ("float32", "float32"), ("bfloat16", "bfloat16")):
        execution = execution_of(setting_with(tmp_path, precision=asked).compute, CPU)
        assert execution.precision == expected


@pytest.mark.parametrize("make", [classifier_task, mae_task, adda_task])
def test_in_bfloat16_losses_are_finite_and_near_those_of_float32(stores, make):
    exact, rounded = make(stores), make(stores, Execution(bfloat16=True))
    for step in range(3):
        expected, found = exact.step(step), rounded.step(step)
        for name, value in found.items():
            assert torch.is_tensor(value)
            assert value.dtype == torch.float32
            # 8 bits of mantissa, a step function in the accuracy of 16 images
            tolerance = 0.2 if name == "discriminator_accuracy" else 0.05
            assert float(value) == pytest.approx(float(expected[name]), rel=0.1, abs=tolerance)
    differs = any(float(found[name]) != float(expected[name]) for name in found)
    assert differs  # or nothing was rounded


def test_a_toy_problem_is_learned_in_bfloat16_with_weights_in_float32(stores):
    task = classifier_task(stores, Execution(bfloat16=True))
    for step in range(60):
        task.step(step)
    assert task.evaluate(60)["val_roc_auc_ovr_macro"] > 0.95
    assert {p.dtype for p in task.model.parameters()} == {torch.float32}
    assert {v.dtype for v in task.best.values()} == {torch.float32}


def test_a_run_records_its_precision(stores, tmp_path):
    train(stores, tmp_path, precision="bfloat16")
    run = json.loads((tmp_path / "run.json").read_text())
    assert (run["precision"], run["devices"]) == ("bfloat16", 1)
    assert run["config"]["classifier"]["epochs"] == CLASSIFIER.epochs


def test_evaluations_neither_compile_nor_use_tf32():
    torch.set_float32_matmul_precision("high")
    try:
        with Execution(bfloat16=True).evaluating():
            assert torch.get_float32_matmul_precision() == "highest"
            assert not torch.backends.cudnn.allow_tf32
        assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision("highest")


# Compilation


@pytest.mark.slow
def test_a_compiled_network_keeps_its_names_and_its_checkpoint_can_be_read(stores, tmp_path):
    plain, compiled = classifier_task(stores), classifier_task(stores, Execution(compiled=True))
    losses = [[float(t.step(s)["train_loss"]) for s in range(3)] for t in (plain, compiled)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)
    assert compiled.model._compiled_call_impl is not None
    assert compiled.model.state_dict().keys() == plain.model.state_dict().keys()
    save_checkpoint(tmp_path, "a", {"task": compiled.state_dict()})
    loaded = load_checkpoint(tmp_path, "a")
    assert loaded is not None
    plain.load_state_dict(loaded["task"])  # read with weights_only: no code was pickled
    for name, value in plain.model.state_dict().items():
        assert torch.equal(value, compiled.model.state_dict()[name])


# Losses and augmentation


def test_losses_that_wait_are_the_same_and_name_their_step(monkeypatch):
    values = [torch.tensor(float(v)) for v in np.random.default_rng(0).random(READ_EVERY + 7)]
    at_once = Losses()
    for step, value in enumerate(values):
        at_once.add(step, {"loss": value})
    monkeypatch.setattr("lensml.training.engine.losses._on_gpu", lambda value: True)
    late = Losses()
    for step, value in enumerate(values):
        late.add(step, {"loss": value})
    assert late.means() == at_once.means()
    broken = Losses()
    for step in range(100, 103):
        broken.add(step, {"loss": torch.tensor(math.nan if step == 101 else 0.0)})
    with pytest.raises(FloatingPointError, match=r"loss is nan at step 101\b"):
        broken.means()


@pytest.mark.parametrize("symmetry", SYMMETRIES)
def test_elements_move_pixels_as_transform_does(symmetry):
    group = SYMMETRIES[symmetry]
    x = torch.randn(len(group), 2, 5, 5)
    found = apply_elements(x, symmetry, torch.arange(len(group)))
    for k, element in enumerate(group):
        assert torch.equal(found[k : k + 1], transform(x[k : k + 1], element))


def test_the_random_state_is_restored_and_a_new_process_keeps_its_own():
    torch.manual_seed(3)
    states = random_state()
    expected = torch.rand(3)
    torch.manual_seed(4)
    restore_random_state(states)
    assert torch.equal(torch.rand(3), expected)
    torch.manual_seed(4)
    restore_random_state([])
    assert torch.initial_seed() == 4


# Several processes


@pytest.mark.parametrize(("n", "copies", "count"), [(12, 1, 5), (36, 3, 2), (36, 3, 5), (4, 2, 2)])
def test_shares_hold_whole_systems_and_every_image_once(monkeypatch, n, copies, count):
    shares = []
    monkeypatch.setattr("lensml.training.engine.ranks.world_size", lambda: count)
    for number in range(count):
        monkeypatch.setattr("lensml.training.engine.ranks.rank", lambda number=number: number)
        rows = share(n, copies)
        systems = (rows % (n // copies)).reshape(copies, -1)
        assert (systems == systems[0]).all()
        shares.append(rows)
    assert sorted(np.concatenate(shares)) == list(range(n))
    values = np.random.default_rng(0).random(n)
    means = [values[rows].mean() * weight_of(rows, n) for rows in shares]
    assert np.mean(means) == pytest.approx(values.mean())


def test_more_processes_than_systems_are_refused(monkeypatch):
    monkeypatch.setattr("lensml.training.engine.ranks.world_size", lambda: 4)
    with pytest.raises(ValueError, match=r"devices = 4: a batch of 3 systems cannot be divided"):
        share(9, 3)


def assert_close(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    """Equal but for the order of sums.

    Biases of keys have no gradient but rounding (a softmax forgets what all keys share), which
    AdamW turns into steps of a learning rate.
    """
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        pairs = [(found[name], value)]
        if name.endswith("qkv.bias"):
            query, _, values = zip(found[name].chunk(3), value.chunk(3), strict=True)
            pairs = [query, values]
        for pair in pairs:
            torch.testing.assert_close(*pair, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_two_processes_train_the_network_of_one(stores, tmp_path):
    alone, together = (train(stores, tmp_path / f"{n}", devices=n) for n in (1, 2))
    start = build_classifier(VIT, img_size=16, num_classes=2, seed=0).state_dict()
    assert alone.keys() == start.keys()
    assert_close(together, alone)
    moved = [float((alone[name] - start[name]).abs().max()) for name in alone]
    assert min(moved) > 1e-3  # the tolerance is far below what was learned
    one, two = (pd.read_csv(tmp_path / f"{n}" / "history.csv") for n in (1, 2))
    pd.testing.assert_frame_equal(one, two, rtol=1e-3)
    assert json.loads((tmp_path / "2" / "run.json").read_text())["devices"] == 2


@on_every_device
def train_until_one_fails(*args: Any, setting: Setting, **options: Any) -> None:
    """The second process fails at step 7, after the checkpoint of step 4."""
    original = ClassifierTask.step

    def step(self: ClassifierTask, step: int) -> dict[str, Tensor]:
        if step == 7 and rank() == 1:
            raise ValueError("out of luck,\nas in a file that is damaged")
        return original(self, step)

    ClassifierTask.step = step
    train_classifier(*args, setting=setting, **options)


@pytest.mark.slow
def test_a_failing_process_ends_the_run_in_one_line_and_the_rest_is_resumed(stores, tmp_path):
    """With batch norm and dropped paths, whose generators differ between the processes."""
    encoder = STEM.model_copy(update={"drop_path_rate": 0.3, "depth": 2})
    whole = train(stores, tmp_path / "whole", encoder, devices=2)
    with pytest.raises(ChildProcessError) as caught:
        train_until_one_fails(
            stores["train"],
            stores["val"],
            results_in(tmp_path / "cut"),
            encoder=encoder,
            classifier=CLASSIFIER,
            symmetry="square",
            setting=setting_with(tmp_path / "cut", devices=2),
        )
    assert str(caught.value) == "process 1 of 2: out of luck, as in a file that is damaged"
    assert not (tmp_path / "cut" / "weights.safetensors").exists()
    state = tmp_path / "cut" / "state"
    assert torch.load(state / FILE, weights_only=True)["done"] == 4
    resumed = train(stores, tmp_path / "cut", encoder, devices=2)
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)
    assert not state.exists()


JOB = """
import sys
from pathlib import Path

with Path(sys.argv[1]).open("a") as file:
    file.write("started\\n")
sys.path.insert(0, sys.argv[2])
from test_speed import MAE, results_in, setting_with
from lensml.training.anomaly.mae_run import train_mae

folder = Path(sys.argv[1]).parent
given = {"mae": MAE, "symmetry": "square", "setting": setting_with(folder, devices=2)}
train_mae(*sys.argv[3:], results_in(folder), **given)
"""


@pytest.mark.slow
def test_a_job_that_is_a_script_is_run_once_though_it_starts_processes(stores, tmp_path):
    """As Snakemake's: everything happens at the level of the module."""
    (tmp_path / "job.py").write_text(JOB)
    given = [tmp_path / "started", Path(__file__).parent, stores["train"][0], stores["val"][0]]
    command = [sys.executable, str(tmp_path / "job.py"), *map(str, given)]
    subprocess.run(command, check=True, timeout=120)
    assert (tmp_path / "started").read_text() == "started\n"
    together = load_file(tmp_path / "weights.safetensors")
    (tmp_path / "alone").mkdir()
    alone = results_in(tmp_path / "alone")
    setting = setting_with(tmp_path / "alone")
    paths = stores["train"][0], stores["val"][0]
    train_mae(*paths, alone, mae=MAE, symmetry="square", setting=setting)
    assert_close(together, load_file(alone.weights))


def test_more_devices_than_gpus_are_refused_in_one_line(stores, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(ValueError, match=r"^compute.devices = 3: more than the GPUs .*, 2$"):
        train(stores, tmp_path, devices=3, device="cuda")


# The benchmark of training


@pytest.fixture(scope="module")
def measured(domain, tmp_path_factory):
    """Folder with the table of one tiny run."""
    folder = tmp_path_factory.mktemp("measured")
    benchmark_training(
        domain("euclid", num_pix=16),
        2,
        Recipes(CLASSIFIER, {"vit": VIT, "stem": STEM}, MAE),
        TrainingSpeed(domain="euclid", n_images=12, steps=2, repeats=3),
        [str(folder / f"speed.{ending}") for ending in ("csv", "md", "tex")],
        str(folder / "run.json"),
        confidence=0.95,
        setting=setting_with(folder),
    )
    return folder


def test_the_shares_of_a_step_add_up(measured):
    table: Any = pd.read_csv(measured / "speed.csv")
    assert list(dict.fromkeys(table["network"])) == ["vit", "stem", MASKED_AUTOENCODER]
    assert (table["ci_low"] <= table["value"]).all()
    assert (table["value"] <= table["ci_high"]).all()
    for _, rows in table.groupby("network"):
        quantities = rows.set_index("quantity")
        value, shares = quantities["value"], quantities.loc[[f"share_{p}" for p in PIECES]]
        # The shares of a turn add up to 1; of three turns, the interval ends at the extremes.
        assert shares["ci_low"].sum() <= 1 + 1e-3
        assert shares["ci_high"].sum() >= 1 - 1e-3
        shares = shares["value"]
        assert (shares.drop("share_average") > 0).all()
        assert 0 < value["share_outside"] < 1
        seconds = value["ms_per_step"] / 1e3
        assert value["images_per_second"] * seconds == pytest.approx(12, rel=1e-3)


def test_the_table_has_a_row_per_network_and_the_record_a_machine(measured):
    lines = (measured / "speed.md").read_text().splitlines()
    assert [line.split(" | ")[0] for line in lines[2:5]] == ["| vit", "| stem", "| mae"]
    assert "outside %" in lines[0]
    assert r"outside \%" in (measured / "speed.tex").read_text()
    record = json.loads((measured / "run.json").read_text())
    assert (record["precision"], record["threads"]) == ("float32", 1)


def test_a_stopwatch_charges_every_piece_with_its_own_time(monkeypatch):
    times = iter([1.0, 3.0, 7.0, 8.0])
    monkeypatch.setattr("time.perf_counter", lambda: next(times))
    watch = Stopwatch(CPU)
    for piece in ("batch", "forward", "batch"):
        watch(piece)
    assert (watch.seconds["batch"], watch.seconds["forward"]) == (3.0, 4.0)
