"""Studies: encoders of timm, equal compute, variants of the recipe, their tables and figures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import TypeAdapter
from toy_stores import IN_MEMORY, NETWORK_INPUT, RMS, blobs, noise, setting, write_store

from lensml.data.images import StretchedImages, stretch, unstretch
from lensml.data.store import open_store
from lensml.data.torch_dataset import Images, RedrawnImages
from lensml.evaluation.classification.encoder_size import measure_encoder
from lensml.evaluation.classification.studies import tabulate_study
from lensml.figures import Style, plot_study
from lensml.models.encoders import build_classifier, build_encoder
from lensml.models.initial import start_from_mae
from lensml.models.mae import MaskedAutoencoder
from lensml.schema.anomaly import Mae
from lensml.schema.encoders import Encoder, NetworkInput
from lensml.schema.studies import SHIPPED, Variant, resolve_variant
from lensml.schema.training import Classifier, Evaluation
from lensml.training.classification.task import ClassifierTask
from lensml.training.classification.variants import equal_steps, train_variant
from lensml.training.engine.prediction import predict_probabilities
from lensml.training.engine.setting import Results

VIT = {
    "kind": "vit",
    "patch_size": 4,
    "embed_dim": 16,
    "depth": 2,
    "num_heads": 2,
    "mlp_ratio": 2.0,
    "init_values": None,
    "drop_path_rate": 0.0,
}
CNN = {"kind": "cnn", "widths": [4, 8]}
OPTIMIZATION = {
    "batch_size": 16,
    "learning_rate": 3.0e-3,
    "min_learning_rate": 0.0,
    "weight_decay": 0.05,
    "betas": [0.9, 0.98],
    "warmup_fraction": 0.1,
    "clip_grad_norm": 1.0,
}
CLASSIFIER = Classifier.model_validate(
    {
        **OPTIMIZATION,
        "domains": ["toy"],
        "encoders": ["cnn"],
        "seeds": [0],
        "epochs": 2,
        "evaluations_per_epoch": 1,
        "label_smoothing": 0.0,
        "ema_decay": 0.9,
        "paired_batches": False,
        "augment": True,
        "test_time_augmentation": True,
    }
)
MAE = Mae.model_validate(
    {
        **OPTIMIZATION,
        **{k: VIT[k] for k in ("patch_size", "embed_dim", "depth", "num_heads", "mlp_ratio")},
        "epochs": 1,
        "mask_ratio": 0.5,
        "loss": "pixel",
        "decoder_embed_dim": 8,
        "decoder_depth": 1,
        "decoder_num_heads": 2,
    }
)


def encoder(content: dict):
    return TypeAdapter(Encoder).validate_python(content)


def timm_encoder(name: str, **kwargs):
    return encoder({"kind": "timm", "model_name": name, "model_kwargs": kwargs})


@pytest.mark.parametrize(
    "name", ["resnet18", "levit_128s", "vit_tiny_r_s16_p8_224", "coatnet_pico_rw_224"]
)
def test_a_model_of_timm_embeds_one_channel_images(name):
    torch.manual_seed(0)
    built = build_encoder(timm_encoder(name), 64).eval()
    with torch.no_grad():
        embedding = built(torch.randn(2, 1, 64, 64))
    assert embedding.shape == (2, built.num_features)
    assert torch.isfinite(embedding).all()


def test_weights_of_a_model_of_timm_follow_from_the_seed():
    spec = timm_encoder("resnet10t")
    a, b, c = (
        build_classifier(spec, img_size=32, num_classes=2, seed=seed).state_dict()
        for seed in (1, 1, 2)
    )
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert not torch.equal(a["head.weight"], c["head.weight"])


@pytest.mark.parametrize(
    ("name", "kwargs", "message"),
    [
        ("resnet81", {}, "no such model; did you mean resnet"),
        ("efficientformer_l1", {}, "does not take one-channel images of 64 x 64 pixels"),
        ("resnet18", {"patch_size": 8}, "patch_size"),
    ],
)
def test_what_timm_cannot_build_is_refused_in_one_line(name, kwargs, message):
    with pytest.raises(ValueError, match=message) as caught:
        build_encoder(timm_encoder(name, **kwargs), 64)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_operations_of_a_vision_transformer_are_those_of_its_matrices(tmp_path):
    output = tmp_path / "size.json"
    measure_encoder(str(output), encoder(VIT), img_size=16)
    tokens, d, patch = 16, 16, 16
    linear = 4 * d * d + 2 * 2 * d * d  # qkv and projection, and the two layers of width 2 d
    attention = 2 * tokens * d
    expected = 2 * tokens * (patch * d + VIT["depth"] * (linear + attention))
    assert json.loads(output.read_text())["flops"] == expected


def test_equal_compute_gives_a_costlier_encoder_fewer_steps(tmp_path):
    sizes = []
    for name, flops in (("reference", 300), ("own", 900)):
        sizes.append(str(tmp_path / f"{name}.json"))
        Path(sizes[-1]).write_text(json.dumps({"flops": flops}))
    assert equal_steps(100, sizes) == 33
    assert equal_steps(100, []) == 100
    assert equal_steps(None, []) is None


def test_a_variant_changes_what_it_names_and_nothing_else():
    base = {
        "encoders": {"cnn": encoder(CNN), "vit": encoder(VIT)},
        "classifier": CLASSIFIER,
        "network_input": NETWORK_INPUT,
    }
    same = resolve_variant(Variant(), encoder="cnn", **base)
    assert (same.encoder, same.classifier) == (encoder(CNN), CLASSIFIER)
    changed = resolve_variant(
        Variant(encoder="vit", encoder_changes={"depth": 1}, classifier={"ema_decay": 0.5}),
        encoder="cnn",
        **base,
    )
    assert changed.encoder == encoder({**VIT, "depth": 1})
    assert changed.classifier == CLASSIFIER.model_copy(update={"ema_decay": 0.5})
    assert changed.network_input == NETWORK_INPUT


@pytest.mark.parametrize("kind", ["asinh", "linear"])
def test_a_stretch_and_its_inverse_give_the_image_back(kind):
    rng = np.random.default_rng(0)
    image = rng.normal(0, 3, (4, 6, 6)).astype(np.float32)
    rms = rng.uniform(0.5, 2, 4)
    spec = NETWORK_INPUT.model_copy(update={"stretch": kind})
    restored = unstretch(stretch(image, rms, spec), spec)
    np.testing.assert_allclose(restored, image / rms[:, None, None], rtol=1e-5, atol=1e-5)


def test_an_image_over_its_maximum_has_maximum_one_and_no_way_back():
    spec = NETWORK_INPUT.model_copy(update={"stretch": "per_image_max"})
    image = np.random.default_rng(0).uniform(0.1, 5, (3, 4, 4))
    stretched = stretch(image, np.ones(3), spec)
    np.testing.assert_allclose(stretched.max((1, 2)), 1)
    with pytest.raises(ValueError, match="per_image_max"):
        unstretch(stretched, spec)


@pytest.mark.parametrize("fraction", [IN_MEMORY, 1e-15])
def test_a_crop_keeps_the_centre(tmp_path, fraction):
    path = write_store(tmp_path / "train.zarr", noise(5, np.random.default_rng(0)))
    whole = StretchedImages([path], NETWORK_INPUT, max_memory_fraction=fraction)
    spec = NETWORK_INPUT.model_copy(update={"center_crop": 10})
    cropped = StretchedImages([path], spec, max_memory_fraction=fraction)
    index = np.array([4, 0])
    assert cropped.img_size == 10
    np.testing.assert_array_equal(cropped.rows(index), whole.rows(index)[:, 3:13, 3:13])


@pytest.fixture
def noiseless(tmp_path):
    """Two noise-free stores of the same systems, 400 s of exposure."""
    rng = np.random.default_rng(1)
    paths = []
    for name in ("no_sub", "cdm"):
        images = rng.uniform(0, 4, (1, 12, 12)).repeat(300, 0)
        truth = {"exposure_time": np.full(300, 400.0)}
        path = tmp_path / name / "train.zarr"
        paths.append(write_store(path, images, truth=truth, noise_model="none"))
    return paths


def test_redrawn_noise_has_the_variance_of_the_camera(noiseless):
    spec = NetworkInput(stretch="linear", noise_units=1.0, scale=1.0, center_crop=None)
    images = RedrawnImages(noiseless, spec, max_memory_fraction=IN_MEMORY)
    generator = torch.Generator().manual_seed(0)
    x = images.batch(np.arange(300), generator).numpy()[:, 0]
    clean = open_store(noiseless[0]).image[np.arange(1)][0]
    expected = (RMS**2 + clean / 400) / RMS**2
    # 300 draws: the variance of each of 144 pixels is known to 8 %, their mean to 0.7 %.
    assert np.mean(x.var(0) / expected) == pytest.approx(1, abs=0.03)
    assert np.abs(x.var(0) / expected - 1).max() < 0.4
    offset = (x.mean(0) - clean / RMS) / np.sqrt(expected / 300)
    assert np.abs(offset).max() < 4.5


def test_redrawn_noise_is_shared_by_the_classes_of_a_system_and_differs_between_steps(noiseless):
    images = RedrawnImages(noiseless, NETWORK_INPUT, max_memory_fraction=IN_MEMORY)
    plain = RedrawnImages(
        noiseless,
        NETWORK_INPUT.model_copy(update={"stretch": "linear"}),
        max_memory_fraction=IN_MEMORY,
    )
    index = np.array([3, 8, 303, 308])

    def draw(seed, source=images):
        return source.batch(index, torch.Generator().manual_seed(seed), copies=2)

    assert torch.equal(draw(0), draw(0))
    assert not torch.equal(draw(0), draw(1))
    residual = draw(0, plain) - plain.batch(index)
    sign = torch.sign(residual)
    assert torch.equal(sign[:2], sign[2:])
    assert not torch.equal(sign[0], sign[1])


def test_noise_is_not_added_to_images_that_have_it(tmp_path):
    path = write_store(tmp_path / "train.zarr", noise(4, np.random.default_rng(0)))
    with pytest.raises(ValueError, match="the images have noise"):
        RedrawnImages([path], NETWORK_INPUT, max_memory_fraction=IN_MEMORY)


def test_a_classifier_starts_from_the_encoder_of_a_masked_autoencoder():
    torch.manual_seed(0)
    mae = MaskedAutoencoder(MAE, 16)
    built = build_encoder(encoder(VIT), 16).eval()
    x = torch.randn(3, 1, 16, 16)
    start_from_mae(built, mae.state_dict())
    tokens = mae.patch_embed(mae.patchify(x)) + mae.pos_embed
    expected = mae.norm(mae.blocks(tokens).mean(1))
    # timm's networks add 1e-6 to the variance in a norm, its blocks alone 1e-5.
    torch.testing.assert_close(built(x), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({**VIT, "depth": 3}, "must have the masked autoencoder's"),
        ({**VIT, "init_values": 0.1}, "init_values null"),
        (CNN, "only encoders of kind 'vit'"),
    ],
)
def test_an_encoder_of_another_shape_cannot_start_from_a_masked_autoencoder(content, message):
    mae = MaskedAutoencoder(MAE, 16)
    with pytest.raises(ValueError, match=message):
        start_from_mae(build_encoder(encoder(content), 16), mae.state_dict())


def toy_study(folder: Path) -> dict[str, list[str]]:
    rng = np.random.default_rng(3)
    out = {}
    for split, n in (("train", 48), ("val", 24)):
        out[split] = [
            write_store(folder / "no_sub" / f"{split}.zarr", noise(n, rng)),
            write_store(folder / "cdm" / f"{split}.zarr", blobs(n, rng)),
        ]
    return out


def run_variant(folder: Path, study: dict[str, list[str]], **options) -> Path:
    results = Results(*(str(folder / f) for f in ("w.safetensors", "history.csv", "run.json")))
    train_variant(
        study["train"],
        study["val"],
        results,
        encoder=encoder(CNN),
        classifier=CLASSIFIER,
        symmetry="square",
        setting=setting(folder / "state"),
        **options,
    )
    return folder


def test_a_variant_has_the_steps_and_images_that_it_is_given(tmp_path):
    study = toy_study(tmp_path / "data")
    folder = run_variant(tmp_path / "run", study, steps=7, n_train=20)
    record = json.loads((folder / "run.json").read_text())
    assert record["config"]["variant"] == {
        "n_train": 20,
        "n_validation": None,
        "steps": 7,
        "redraw_noise": False,
        "mae": False,
    }
    history = pd.read_csv(folder / "history.csv")
    assert history["step"].iloc[-1] == 7
    # 40 images in batches of 16 are two steps an epoch.
    assert history["epoch"].iloc[-1] == pytest.approx(3.5)


def test_images_that_a_variant_leaves_out_do_not_matter(tmp_path):
    study = toy_study(tmp_path / "a")
    fewer = dict(study)
    fewer["train"] = [
        write_store(tmp_path / "b" / name / "train.zarr", open_store(path).image[np.arange(20)])
        for name, path in zip(("no_sub", "cdm"), study["train"], strict=True)
    ]
    one = run_variant(tmp_path / "one", study, steps=3, n_train=20)
    two = run_variant(tmp_path / "two", fewer, steps=3)
    columns = ["train_loss", "val_loss"]
    a, b = (pd.read_csv(f / "history.csv")[columns].to_numpy() for f in (one, two))
    np.testing.assert_array_equal(a, b)


def test_thirty_two_images_with_random_labels_are_learned_by_heart(tmp_path):
    rng = np.random.default_rng(5)
    stores = [write_store(tmp_path / c / "train.zarr", noise(16, rng)) for c in ("a", "b")]
    images = Images(stores, NETWORK_INPUT, max_memory_fraction=IN_MEMORY)
    spec = CLASSIFIER.model_copy(update={"batch_size": 32, "weight_decay": 0.0})
    stem = {**VIT, "kind": "vit_conv_stem", "stem_widths": [8, 16], "init_values": 0.1}
    del stem["patch_size"]
    network = build_classifier(encoder(stem), img_size=16, num_classes=2, seed=0)
    task = ClassifierTask(
        network,
        images,
        images,
        spec=spec,
        steps=120,
        seed=0,
        symmetry="none",
        label_smoothing=0.0,
        ema_decay=0.9,
        paired=False,
        device=torch.device("cpu"),
    )
    for step in range(120):
        task.step(step)
    predicted = predict_probabilities(task.average, images, symmetry="none").argmax(1)
    np.testing.assert_array_equal(predicted, images.labels)


def write_run(folder: Path, skill: float, seed: int, n: int = 120) -> dict:
    """A run's files as the workflow writes them, with a given skill."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    label = np.arange(n) % 3
    logits = rng.normal(size=(n, 3)) + skill * np.eye(3)[label]
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    classes = np.array(["no_sub", "cdm", "vortex"])
    table = pd.DataFrame({"system_id": np.arange(n) // 3, "index": 0, "label": classes[label]})
    for k, name in enumerate(classes):
        table[f"p_{name}"] = p[:, k]
    table.to_csv(folder / "predictions.csv", index=False)
    steps = [10, 20]
    pd.DataFrame({"step": steps, "val_roc_auc_ovr_macro": [0.6, 0.7]}).to_csv(
        folder / "history.csv", index=False
    )
    record = {
        "config": {"classifier": {"batch_size": 36}, "variant": {"steps": 20}},
        "seconds": 12.5,
        "images_per_second": 100.0,
    }
    (folder / "run.json").write_text(json.dumps(record))
    (folder / "size.json").write_text(json.dumps({"parameters": 10, "flops": 10**9}))
    return {
        "path": str(folder / "predictions.csv"),
        "run": str(folder / "run.json"),
        "size": str(folder / "size.json"),
    }


SPEC = Evaluation(
    n_bootstrap=100,
    confidence=0.95,
    false_positive_rates=[0.1],
    calibration_bins=10,
    n_embedded=10,
)
SKILL = {"zoo": {"cnn": 0.5, "vit": 2.0}, "ablation": {SHIPPED: 2.0, "worse": 0.5}}
SKILL["scaling"] = {"n100": 0.5, "n1000": 2.0}
REFERENCE = {"zoo": "cnn", "ablation": SHIPPED, "scaling": "n1000"}


@pytest.mark.parametrize("kind", ["zoo", "ablation", "scaling"])
def test_a_study_ends_in_a_table_with_paired_differences_and_a_figure(tmp_path, kind):
    runs = [
        {"variant": name, "seed": seed, **write_run(tmp_path / f"{name}{seed}", skill, seed)}
        for name, skill in SKILL[kind].items()
        for seed in (0, 1)
    ]
    outputs = [str(tmp_path / f"table.{ending}") for ending in ("csv", "md", "tex")]
    curves = str(tmp_path / "curves.csv")
    tabulate_study(kind, runs, outputs, curves, SPEC, compare_with=REFERENCE[kind], seed=0)
    table = pd.read_csv(outputs[0])
    gain = table.loc[table["metric"] == "roc_auc_ovr_macro_gain"]
    assert set(gain["variant"]) == set(SKILL[kind]) - {REFERENCE[kind]}
    better = SKILL[kind][REFERENCE[kind]] < max(SKILL[kind].values())
    assert np.all((gain["ci_low"] > 0) == better)
    assert np.all((gain["ci_high"] < 0) != better)
    curve = pd.read_csv(curves)
    # 10 steps of 36 images, three times 1e9 operations each
    assert curve["tflop"].iloc[0] == pytest.approx(10 * 36 * 3e9 / 1e12)
    if kind == "zoo":
        assert set(table["parameters"]) == {10}
    style = Style(dpi=50, font_size=8, width=6, color_map="magma")
    figure = tmp_path / "figure.png"
    plot_study(kind, outputs[0], curves, title="Toy", style=style, output=[figure])
    assert figure.stat().st_size > 5000
