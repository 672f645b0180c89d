"""Where results lie: patterns of folders, with Snakemake's wildcards, and the files in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

FIGURE_ENDINGS = ("pdf", "png")
TABLE_ENDINGS = ("csv", "html", "md", "tex")
RUN_FILES = {"weights": "weights.safetensors", "history": "history.csv", "run": "run.json"}


def filled(pattern: str, values: Mapping[str, object] | None = None, **others: object) -> str:
    """A pattern with its wildcards replaced.

    Raises:
        KeyError: a wildcard has no value.
    """
    return pattern.format_map({**(values or {}), **others})


def run_files(folder: str) -> dict[str, str]:
    """What every training run writes."""
    return {name: f"{folder}/{file}" for name, file in RUN_FILES.items()}


def score_files(folder: str, scores: Sequence[str]) -> dict[str, list[str]]:
    """Anomaly scores of the test's images, and of proxies."""
    kinds = ("scores", "proxies")
    return {kind: [f"{folder}/{kind}/{score}.csv" for score in scores] for kind in kinds}


def manifest_of(store: str) -> str:
    """The file that says what a store holds; it is what rules wait for."""
    return store.removesuffix(".zarr") + ".manifest.json"


def packed_of(store: str) -> str:
    """A store's small files in one, for object storage, where files travel one by one."""
    return store.removesuffix(".zarr") + ".packed.zip"


@dataclass(frozen=True)
class Layout:
    """Folders of results, below a root.

    Attributes:
        root: folder of everything that the workflow makes.
    """

    root: str = "results"

    def _below(self, pattern: str) -> str:
        return f"{self.root}/{pattern}"

    def store(self, domain: str, substructure: str, split: str) -> str:
        """A dataset."""
        return self._below(f"datasets/{domain}/{substructure}/{split}.zarr")

    def table(self, name: str) -> list[str]:
        """A table in every format."""
        return [self._below(f"tables/{name}.{ending}") for ending in TABLE_ENDINGS]

    def table_csv(self, name: str) -> str:
        """The numbers of a table."""
        return self._below(f"tables/{name}.csv")

    def figure(self, name: str) -> list[str]:
        """A figure in every format."""
        return [self._below(f"figures/{name}.{ending}") for ending in FIGURE_ENDINGS]

    @cached_property
    def any_store(self) -> str:
        """Every dataset."""
        return self.store("{domain}", "{substructure}", "{split}")

    @cached_property
    def pool(self) -> str:
        """Training images of a domain without their labels."""
        return self.store("{domain}", "unlabelled", "train")

    def fit(self, domain: str, substructure: str, split: str) -> str:
        """Fits of a dataset, of a pool or (class ``proxy``) of proxies."""
        return self._below(f"fits/{domain}/{substructure}/{split}.zarr")

    @cached_property
    def any_fit(self) -> str:
        """Every store of fits."""
        return self.fit("{domain}", "{substructure}", "{split}")

    @cached_property
    def pool_fit(self) -> str:
        """Fits of a pool without labels."""
        return self.fit("{domain}", "unlabelled", "train")

    @cached_property
    def classifier_run(self) -> str:
        """A trained classifier."""
        return self._below("classification/{domain}/{encoder}/seed{seed}")

    @cached_property
    def classification_baseline(self) -> str:
        """Predictions of the baseline of classification."""
        return self._below("classification/{domain}/radial_profile/predictions.csv")

    @cached_property
    def observed_model(self) -> str:
        """Row (.json) and arrays (.npz) of a modelled lens, without their ending."""
        return self._below("observed/models/{key}")

    @cached_property
    def transfer_run(self) -> str:
        """A classifier on another domain's test images."""
        return self._below("transfer/{domain}/{target}/{encoder}/seed{seed}")

    @cached_property
    def transfer_baseline(self) -> str:
        """The same of the baseline."""
        return self._below("transfer/{domain}/{target}/radial_profile/predictions.csv")

    @cached_property
    def export(self) -> str:
        """A classifier as ONNX file, without its ending."""
        return self._below("export/{domain}/{encoder}/seed{seed}/classifier")

    @cached_property
    def card(self) -> str:
        """A classifier to be handed on, with its model card."""
        return self._below("cards/{domain}/{encoder}/seed{seed}")

    @cached_property
    def adapted_run(self) -> str:
        """A classifier that was carried to another domain."""
        return self._below("adaptation/{source}/{target}/{encoder}/{method}/seed{seed}")

    @cached_property
    def harmonised_baseline(self) -> str:
        """Predictions of the baseline that is fitted to a pair's source in the common camera."""
        return self._below("adaptation/{source}/{target}/radial_profile/predictions.csv")

    def harmony(self, how: str) -> str:
        """What the cameras of a pair agree on, where they are ``known`` or ``fitted``."""
        return self._below(f"harmony/{how}/{{source}}/{{target}}/harmony.json")

    @cached_property
    def camera_fit(self) -> str:
        """The blind fit of the target's camera."""
        return self._below("harmony/fitted/{source}/{target}/camera.json")

    def harmonised_store(self, how: str) -> str:
        """Images of a side of a pair in the common camera."""
        below = "{source}/{target}/{side}/{substructure}/{split}.zarr"
        return self._below(f"harmony/{how}/{below}")

    @cached_property
    def development_run(self) -> str:
        """A trial of adaptation's settings."""
        return self._below("development/{source}/{target}/{method}/trial{trial}/seed{seed}")

    @cached_property
    def mae_run(self) -> str:
        """A masked autoencoder."""
        return self._below("anomaly/{domain}/mae/seed{seed}")

    @cached_property
    def autoencoder_run(self) -> str:
        """Another autoencoder."""
        return self._below("anomaly/{domain}/{method}/seed{seed}")

    @cached_property
    def fit_statistics(self) -> str:
        """Predictions of the classifier on numbers of the fits."""
        return self._below("classification/{domain}/fit_statistics/predictions.csv")

    @cached_property
    def anomaly_baseline(self) -> str:
        """A detector that needs no training."""
        return self._below("anomaly/{domain}/{method}")

    @cached_property
    def proxies(self) -> str:
        """Distorted images of smooth validation lenses."""
        return self._below("proxies/{domain}.zarr")

    @cached_property
    def swept_run(self) -> str:
        """A masked autoencoder with one setting changed."""
        return self._below("sweep/{variant}/seed{seed}")

    @cached_property
    def started_run(self) -> str:
        """A classifier on a share of the labels, from one start or another."""
        return self._below("pretraining/{start}/{fraction}/seed{seed}")

    @cached_property
    def regression_run(self) -> str:
        """A trained regression."""
        return self._below("regression/{domain}/{substructure}/{encoder}/seed{seed}")

    @cached_property
    def regression_baseline(self) -> str:
        """A regression that needs no network."""
        return self._below("regression/{domain}/{substructure}/{model}")

    @cached_property
    def maps_run(self) -> str:
        """Attribution maps of a classifier."""
        return self._below("attribution/{domain}/{encoder}/seed{seed}")

    @cached_property
    def grid_predictions(self) -> str:
        """What a classifier says of the images of the limit's grid."""
        return self._below("limit/predictions/{domain}/{encoder}/seed{seed}/grid.csv")

    @cached_property
    def grid_baseline(self) -> str:
        """The same of the baseline."""
        return self._below("limit/predictions/{domain}/radial_profile/grid.csv")

    @cached_property
    def misspecified_run(self) -> str:
        """Scores of fits that believe something wrong."""
        return self._below("misspecification/{variant}")

    @cached_property
    def study_run(self) -> str:
        """A run of a study."""
        return self._below("studies/{study}/{variant}/seed{seed}")

    @cached_property
    def encoder_size(self) -> str:
        """Parameters and operations of an encoder."""
        return self._below("encoders/{encoder}_{img_size}.json")

    @cached_property
    def audit(self) -> str:
        """What the audit found in a domain."""
        return self._below("audit/{domain}.csv")
