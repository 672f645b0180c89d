"""What a configuration asks for, without Snakemake: runs, files, rows of tables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lensml import plan
from lensml.plan.classification import flat
from lensml.plan.code import code_of
from lensml.plan.layout import Layout, filled, manifest_of, packed_of
from lensml.schema import Config

Make = Callable[..., Config]


def of(**wildcards: Any) -> Any:
    """Wildcards as Snakemake hands them to a function: attributes, and items as a mapping."""
    return Wildcards(**wildcards)


class Wildcards(SimpleNamespace):
    """Stands where Snakemake's own do: both have attributes and can be unpacked."""

    def keys(self) -> Any:
        return vars(self).keys()

    def __getitem__(self, key: str) -> Any:
        return vars(self)[key]


# ------------------------------------------------------------------------------------------ layout


def test_a_named_run_has_folders_of_its_own(config):
    assert plan.Datasets(config()).store("euclid", "cdm", "test").startswith("results/datasets/")
    named = plan.Results(config(run="second"))
    files = [*named.tables(), *named.figures(), *named.weights(), *named.all_manifests()]
    assert all(file.startswith("results/second/") for file in files)


def test_a_wildcard_without_value_is_an_error():
    with pytest.raises(KeyError, match="seed"):
        filled(Layout().classifier_run, domain="euclid", encoder="vit")


def test_a_store_has_its_manifest_and_its_pack_beside_it():
    store = Layout().store("euclid", "cdm", "test")
    assert manifest_of(store) == "results/datasets/euclid/cdm/test.manifest.json"
    assert packed_of(store) == "results/datasets/euclid/cdm/test.packed.zip"


# ---------------------------------------------------------------------------------------- datasets


def test_the_last_block_holds_what_is_left(config):
    sizes = {"n_train": 2500, "images_per_block": 1000}
    data = plan.Datasets(config(simulation=sizes))
    assert data.n_blocks("train") == 3
    blocks = [data.block_range(of(split="train", block=str(b))) for b in range(3)]
    assert blocks == [
        {"start": 0, "stop": 1000},
        {"start": 1000, "stop": 2000},
        {"start": 2000, "stop": 2500},
    ]


def test_growing_a_dataset_changes_its_last_block_alone(config):
    few, many = (
        plan.Datasets(config(simulation={"n_train": n, "images_per_block": 1000}))
        for n in (2000, 2500)
    )
    where = {"domain": "euclid", "substructure": "cdm", "split": "train"}
    for block in ("0", "1"):
        wildcards = of(**where, block=block)
        assert few.block_range(wildcards) == many.block_range(wildcards)
        assert few.simulation_params(wildcards) == many.simulation_params(wildcards)


def test_rules_wait_for_manifests_and_in_storage_for_every_chunk(config):
    small = config(simulation={"n_test": 250, "images_per_block": 100})
    here, there = (plan.Datasets(small, in_storage) for in_storage in (False, True))
    store = here.store("euclid", "cdm", "test")
    assert here.manifest("euclid", "cdm", "test") == [manifest_of(store)]
    chunks = [f"{store}/image/c/{b}/0/0" for b in range(3)]
    assert there.manifest("euclid", "cdm", "test") == [
        manifest_of(store),
        packed_of(store),
        *chunks,
    ]
    pool = there.pool("euclid")
    assert there.pool_files("euclid") == [manifest_of(pool), packed_of(pool)]


def test_audits_are_those_of_the_domains_that_rows_name(config):
    rows = [{"a": "hst", "b": "euclid"}, {"a": "euclid", "b": "euclid"}]
    audits = ["results/audit/euclid.csv", "results/audit/hst.csv"]
    assert plan.Datasets(config()).audits(rows, "a", "b") == audits


# ---------------------------------------------------------------------------------- classification


def test_networks_stand_beside_the_baseline_and_are_compared_with_it(config):
    network, baseline = plan.Classification(config()).rows()
    assert network["reference"] == baseline["path"]
    assert baseline["reference"] == ""
    assert network["calibration"].endswith("seed0/calibration.json")
    assert baseline["calibration"] == ""


def test_a_network_that_others_are_compared_with_has_no_reference(config):
    changes = {
        "classifier": {"encoders": ["vit_conv_stem", "cnn"]},
        "evaluation": {"compare_with": "cnn"},
    }
    rows = {row["model"]: row for row in plan.Classification(config(**changes)).rows()}
    assert rows["cnn"]["reference"] == ""
    assert rows["vit_conv_stem"]["reference"] == rows["cnn"]["path"]


def test_transfer_leaves_out_domains_of_another_size(config):
    rows = plan.Classification(config("paper")).transfer_rows()
    pairs = {(row["domain"], row["target_domain"]) for row in rows}
    assert ("euclid", "hst") in pairs
    assert ("euclid", "euclid") in pairs
    assert ("euclid", "model_i") not in pairs  # of 150 pixels
    home = [r for r in rows if r["domain"] == r["target_domain"] == "euclid"]
    assert all(row["path"].startswith("results/classification/") for row in home)


def test_exports_are_of_the_first_seed(config):
    exports = plan.Classification(config("adaptation")).exports()
    assert exports == [
        f"results/export/euclid/vit_conv_stem/seed0/classifier.{ending}"
        for ending in ("onnx", "json")
    ]


# -------------------------------------------------------------------------------------- adaptation


def test_a_plain_transformer_has_no_batch_norm_to_adapt(config):
    both = {"encoders": ["vit_conv_stem", "vit"]}
    adaptation = plan.Adaptation(config(classifier=both, adaptation=both))
    assert "adabn" in adaptation.methods("vit_conv_stem")
    assert "adabn" not in adaptation.methods("vit")


def test_all_stands_for_every_method(config):
    methods = {row["method"] for row in plan.Adaptation(config("adaptation")).rows()}
    assert len(methods) == 12
    assert {"adda", "oracle", "masked_reconstruction"} <= methods


def test_methods_are_compared_with_source_only_and_the_oracle_of_their_seed(config):
    rows = plan.Adaptation(config("adaptation")).rows()
    found = {(r["target_domain"], r["method"], r["seed"]): r for r in rows}
    adda = found["hst", "adda", 1]
    assert adda["reference"] == found["hst", "source_only", 1]["path"]
    assert adda["oracle"] == found["hst", "oracle", 1]["path"]
    assert found["hst", "source_only", 1]["reference"] == ""
    assert found["hst", "source_only", 1]["oracle"] == ""
    assert found["hst", "oracle", 1]["oracle"] == ""


def test_without_source_only_there_is_nothing_to_compare_with(config):
    rows = plan.Adaptation(config(adaptation={"methods": ["adda", "oracle"]})).rows()
    assert all(row["reference"] == row["oracle"] == "" for row in rows)


def test_every_pair_has_the_trivial_baseline_beside_it(config):
    adaptation = plan.Adaptation(config("adaptation"))
    rows = [row for row in adaptation.rows() if row["model"] == "radial_profile"]
    assert {(row["source_domain"], row["target_domain"]) for row in rows} == set(adaptation.pairs)
    assert {row["method"] for row in rows} == {"source_only"}
    paths = {row["path"] for row in rows}
    assert "results/transfer/euclid/hst/radial_profile/predictions.csv" in paths
    assert not any("radial_profile" in path for path in adaptation.all_weights())


def test_criteria_are_compared_on_runs_that_saw_no_label_of_the_target(config):
    adaptation = plan.Adaptation(config("adaptation"))
    files = [row["criterion_file"] for row in adaptation.judged()]
    assert "results/adaptation/euclid/hst/vit_conv_stem/source_only/seed0/criteria.json" in files
    assert not any("oracle" in file or "test_selected" in file for file in files)
    assert len(files) == len(set(files))
    alone = config(anomaly={"domains": []}, adaptation={"pairs": []})
    with pytest.raises(ValueError, match=r"adaptation\.pairs is empty"):
        plan.Adaptation(alone).criteria_results()


def test_adda_starts_from_the_classifier_that_the_configuration_names(config):
    run = of(source="euclid", target="hst", encoder="vit_conv_stem", seed="0")
    shipped = plan.Adaptation(config())
    assert shipped.adda_start(run) == shipped.source_weights(run)
    changed = plan.Adaptation(config(adaptation={"adda": {"start": "strong_augmentation"}}))
    assert "/strong_augmentation/seed0/weights" in changed.adda_start(run)


def test_source_only_predicts_with_the_source_classifier(config):
    adaptation = plan.Adaptation(config())
    run = of(
        source="euclid", target="hst", encoder="vit_conv_stem", method="source_only", seed="0"
    )
    assert adaptation.predicting_weights(run) == adaptation.source_weights(run)
    assert not any("source_only" in path for path in adaptation.all_weights())


def test_the_first_trial_is_the_configured_one_and_the_others_are_compared_with_it(config):
    development = plan.Development(config("development"))
    rows = [r for r in development.rows() if r["method"] == "coral" and r["seed"] == 0]
    first = [r for r in rows if r["trial"] == 0]
    assert all(r["values"] == {} and r["reference"] == "" for r in first)
    paths = {r["target_domain"]: r["path"] for r in first}
    others = [r for r in rows if r["trial"]]
    assert others
    assert all(r["values"] and r["reference"] == paths[r["target_domain"]] for r in others)


def test_nothing_is_developed_without_a_pair(config):
    with pytest.raises(ValueError, match=r"development\.pairs is empty"):
        plan.Development(config()).results()


# ----------------------------------------------------------------------------------------- anomaly


def test_every_detector_has_a_row_per_score_and_the_ceiling_no_proxies(config):
    rows = plan.Anomaly(config("smoke")).rows()
    methods = {row["method"] for row in rows}
    assert {"mae", "conv_autoencoder", "vae", "aae", "pca", "total_flux"} <= methods
    assert {"smooth_fit", "potential_filter"} <= methods
    ceiling = [row for row in rows if row["method"] == "supervised"]
    assert [row["proxies"] for row in ceiling] == [""]
    assert all(row["proxies"] for row in rows if row["method"] != "supervised")


def test_the_headline_of_a_detector_is_its_first_score(config):
    scores = plan.Anomaly(config()).headline_scores("euclid")
    assert scores["mae"] == ["results/anomaly/euclid/mae/seed0/scores/mse.csv"]
    assert scores["pca"] == ["results/anomaly/euclid/pca/scores/residual.csv"]
    filtered = "results/anomaly/euclid/potential_filter/scores/evidence.csv"
    assert scores["potential_filter"] == [filtered]


def test_detectors_by_fits_wait_for_the_fits_of_what_they_score(config):
    anomaly = plan.Anomaly(config())
    files = anomaly.fits_files("euclid")
    for part in ("cdm/test", "no_sub/val", "proxy/val"):
        assert manifest_of(f"results/fits/euclid/{part}.zarr") in files
    assert anomaly.fits_of("euclid")["proxies"][1] == "results/fits/euclid/proxy/val.zarr"


@pytest.mark.parametrize(
    ("changes", "methods"),
    [
        ({"anomaly": {"smooth_fit": False}}, set()),
        ({"fit": {"potential": None}}, {"smooth_fit"}),
        ({}, {"smooth_fit", "potential_filter"}),
    ],
)
def test_detectors_by_fits_are_those_that_are_asked_for(config, changes, methods):
    found = {row["method"] for row in plan.Anomaly(config(**changes)).rows()}
    assert found & {"smooth_fit", "potential_filter"} == methods


def test_a_domain_without_classifier_has_no_ceiling(config):
    changes = {
        "classifier": {"domains": ["hst"]},
        "tasks": ["classification", "anomaly"],
    }
    rows = plan.Anomaly(config(**changes)).rows()
    assert {row["domain"] for row in rows} == {"euclid"}
    assert not [row for row in rows if row["method"] == "supervised"]


def test_a_sweep_reuses_the_configured_autoencoder_where_nothing_is_trained_anew(config):
    sweep = plan.Sweep(config())
    as_shipped = sweep.weights(of(variant="mask_ratio-0.5", seed="0"))
    scored_alone = sweep.weights(of(variant="n_masks-4", seed="0"))
    trained = sweep.weights(of(variant="mask_ratio-0.75", seed="0"))
    assert as_shipped == scored_alone == "results/anomaly/euclid/mae/seed0/weights.safetensors"
    assert trained == "results/sweep/mask_ratio-0.75/seed0/weights.safetensors"


def test_a_share_of_the_labels_is_never_fewer_than_two_images(config):
    pretraining = plan.Pretraining(config())
    labelled = pretraining.labelled("val")
    assert labelled(of(fraction="0.1")) == 50
    assert labelled(of(fraction="0.0001")) == 2


# ------------------------------------------------------------------------------ regression, limits


def test_einstein_mass_follows_the_distances(config):
    # theta^2 D_l D_s c^2 / (4 G D_ls), z_l = 0.5 and z_s = 1 in a flat universe: about 1.6e11 Msun
    mass = plan.Regression(config("realistic")).einstein_mass("euclid_realistic")
    assert 1.0e11 < mass < 3.0e11


def test_a_regression_starts_from_the_classifier_of_its_seed_or_from_nothing(config):
    run = of(domain="euclid", encoder="vit_conv_stem", seed="0")
    (start,) = plan.Regression(config()).start(run)
    assert start == "results/classification/euclid/vit_conv_stem/seed0/weights.safetensors"
    assert plan.Regression(config(regression={"initialise": "scratch"})).start(run) == []


def test_only_populations_with_an_f_sub_have_a_grid(config):
    limit = plan.Limit(config(domains=["euclid", "hst", "euclid_realistic"]))
    assert limit.domains == ["euclid", "hst", "euclid_realistic"]
    assert limit.grids == ["euclid_realistic"]


def test_networks_outside_the_grid_are_judged_on_test_images_alone(config):
    runs = plan.Limit(config()).network_runs("euclid")
    assert all(run["grid"] == "" and run["test"] for run in runs)
    runs = plan.Limit(config("realistic")).network_runs("euclid_realistic")
    assert all(run["grid"] and run["test"] for run in runs)


# ----------------------------------------------------------------------------------------- studies


def test_an_ablation_is_short_and_the_zoo_gets_equal_operations(config):
    studies = plan.Studies(config())
    zoo, part = of(study="zoo", variant="cnn"), of(study="ablation", variant="adamw")
    assert studies.recipe(zoo)["classifier"]["epochs"] == 4
    assert studies.recipe(part)["classifier"]["epochs"] == 1
    assert studies.recipe(part)["classifier"]["optimizer"] == "adamw"
    assert studies.steps(part) is None
    assert studies.steps(zoo) == 4 * (6000 // 16)
    assert studies.sizes(zoo) == [
        f"results/encoders/{encoder}_64.json" for encoder in ("vit_conv_stem", "cnn")
    ]


def test_redrawn_noise_wants_images_without(config):
    studies = plan.Studies(config())
    assert (
        studies.train_domain(of(study="ablation", variant="redrawn_noise")) == "euclid_noiseless"
    )
    assert studies.train_domain(of(study="ablation", variant="shipped")) == "euclid"


def test_scaling_asks_for_no_more_images_than_there_are(config):
    studies = plan.Studies(config(simulation={"n_train": 1000}))
    assert studies.variants("scaling") == ["n300", "n1000"]
    assert studies.reference("scaling") == "n1000"


def test_rules_wait_for_every_file_of_a_cut_out_that_exists(config, tmp_path):
    for name in ("a", "noise", "psf"):
        (tmp_path / f"{name}.fits").touch()
    files = [str(tmp_path / f"{name}.fits") for name in ("a", "noise", "psf")]
    lens = dict(zip(("image", "noise_map", "psf"), files, strict=True))
    gone = {"image": str(tmp_path / "gone.fits"), "psf": files[2]}
    observed = plan.Observed(config(observed={"lenses": {"a": lens, "b": gone}}))
    assert observed.files() == files


# ----------------------------------------------------------------------------------------- targets


def test_tasks_that_are_not_listed_are_not_asked_for(config):
    few = plan.Results(config(tasks=["classification"]))
    assert not [f for f in few.tables() + few.figures() if "adaptation" in f or "anomaly" in f]
    assert not [f for f in few.weights() if "/classification/" not in f]


def test_nothing_is_asked_for_twice(config):
    everything = plan.Results(config("paper"))
    for files in (everything.tables(), everything.figures(), everything.weights()):
        assert len(files) == len(set(files))


def test_weights_are_those_of_every_row_that_has_some(config):
    weights = plan.Results(config("smoke")).weights()
    assert "results/regression/euclid/cdm/vit_conv_stem/seed0/weights.safetensors" in weights
    assert "results/anomaly/euclid/vae/seed0/weights.safetensors" in weights
    assert not [w for w in weights if "pca" in w or "radial_profile" in w or "source_only" in w]


def test_files_of_a_mapping_come_in_one_list():
    assert flat({"a": ["1", "2"], "b": ["3"]}) == ["1", "2", "3"]


def test_code_of_a_figure_is_what_it_imports_of_its_floor():
    names = {Path(file).name for file in code_of("figures.roc")}
    assert names == {"roc.py", "style.py", "tables.py"}
    evaluation = code_of("evaluation.statistics.tables")
    assert any(file.endswith("statistics/bootstrap.py") for file in evaluation)
    assert not any("/training/" in file for file in evaluation)
    with pytest.raises(ValueError, match="no such module"):
        code_of("figures.nothing")
