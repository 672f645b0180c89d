"""Detectors of substructure, their scores, and what these are compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lensml.plan.classification import Classification, Files, Row
from lensml.plan.datasets import PROXY, Datasets
from lensml.plan.layout import filled, score_files

# Method -> its scores, the first of them its headline.
BASELINES = {"pca": ["residual", "chi2"], "total_flux": ["flux"]}
FITTED = {"smooth_fit": ["arc_low_1", "chi2"], "potential_filter": ["evidence", "z"]}
OF_TRUTH = (
    "strength",
    "found",
    "reconstructions",
)  # figures of what is known of simulated images alone
SUPERVISED = "supervised"


@dataclass(frozen=True)
class Anomaly(Datasets):
    """Every detector of every domain."""

    @property
    def domains(self) -> list[str]:
        """Domains in which substructure is looked for."""
        return self.config.anomaly.domains

    def proxies(self, domain: str) -> str:
        """Store of distorted images of smooth validation lenses."""
        return filled(self.at.proxies, domain=domain)

    def scored(self, domain: str, scores: list[str], limit: int | None = None) -> dict[str, Any]:
        """Images that a method scores: the test's, and proxies beside their originals.

        Args:
            domain: of the images.
            scores: names of the scores.
            limit: images of every store, the first ones; None for all.
        """
        n_proxies = self.config.anomaly.proxies.n_images
        validation = [self.store(domain, "no_sub", "val"), self.proxies(domain)]
        pairs = min(n_proxies, limit or n_proxies)
        return {
            "scores": scores,
            "parts": [
                {"stores": self.stores(domain, "test"), "classes": self.classes, "limit": limit},
                {"stores": validation, "classes": ["no_sub", "proxy"], "limit": pairs},
            ],
        }

    def scored_manifests(self, domain: str) -> list[str]:
        """What a rule that scores waits for."""
        proxies = self.store_files(self.proxies(domain))
        return [
            *self.manifests(domain, "test"),
            *self.manifest(domain, "no_sub", "val"),
            *proxies,
        ]

    def baseline_files(self, method: str) -> dict[str, list[str]]:
        """Scores that a detector without training writes."""
        folder = self.at.anomaly_baseline.replace("{method}", method)
        return score_files(folder, (BASELINES | FITTED)[method])

    def scored_by(self, method: str, domain: str) -> dict[str, Any]:
        """Images that a detector without training scores."""
        return self.scored(domain, (BASELINES | FITTED)[method])

    def fits_of(self, domain: str) -> dict[str, list[str]]:
        """Stores of the fits of the images that are scored, part by part."""
        test = [self.fit(domain, s, "test") for s in self.classes]
        proxies = [self.fit(domain, s, "val") for s in ("no_sub", PROXY)]
        return {"test": test, "proxies": proxies}

    def fits_files(self, domain: str) -> list[str]:
        """What their scores wait for."""
        test = [f for s in self.classes for f in self.fit_files(domain, s, "test")]
        return test + [f for s in ("no_sub", PROXY) for f in self.fit_files(domain, s, "val")]

    def supervised_predictions(self, wildcards: Any) -> str:
        """Test predictions of the classifier that is the ceiling."""
        encoder = self.config.classifier.encoders[0]
        classifiers = Classification(self.config, self.in_storage)
        return f"{classifiers.run(wildcards.domain, encoder, wildcards.seed)}/predictions.csv"

    def trained(self) -> dict[str, list[str]]:
        """Method -> its scores, for those that are trained once per seed."""
        rivals = self.config.anomaly.autoencoders.methods
        return {"mae": list(self.config.anomaly.scores), **{method: ["mse"] for method in rivals}}

    def untrained(self) -> dict[str, list[str]]:
        """Method -> its scores, for those that need no seed."""
        return self.by_fits() | BASELINES

    def by_fits(self) -> dict[str, list[str]]:
        """The same of those that fits of smooth lenses give."""
        filtered = self.config.fit.potential is not None
        wanted = self.config.anomaly.smooth_fit
        return {m: s for m, s in FITTED.items() if wanted and (filtered or m == "smooth_fit")}

    def rows(self, *domains: str) -> list[Row]:
        """One row per domain, method, score and seed.

        Args:
            domains: those alone; all by default.
        """
        return [row for d in domains or self.domains for row in self._rows_of(d)]

    def _rows_of(self, domain: str) -> list[Row]:
        seeds = self.config.anomaly.seeds
        trained = [
            self._row(domain, method, score, seed, f"{method}/seed{seed}")
            for method, scores in self.trained().items()
            for score in scores
            for seed in seeds
        ]
        untrained = [
            self._row(domain, method, score, 0, method)
            for method, scores in self.untrained().items()
            for score in scores
        ]
        known = domain in self.config.classifier.domains
        ceiling = [
            {
                **self._row(domain, SUPERVISED, "probability", seed, f"{SUPERVISED}/seed{seed}"),
                "proxies": "",
            }
            for seed in self.config.classifier.seeds * known
        ]
        return trained + untrained + ceiling

    def _row(self, domain: str, method: str, score: str, seed: int, run: str) -> Row:
        folder = f"{self.at.root}/anomaly/{domain}/{run}"
        return {
            "domain": domain,
            "method": method,
            "score": score,
            "seed": seed,
            "path": f"{folder}/scores/{score}.csv",
            "proxies": f"{folder}/proxies/{score}.csv",
        }

    def headline_scores(self, domain: str) -> Files:
        """Method -> every seed's scores of its first kind: the headline, declared beforehand."""
        first = {method: s[0] for method, s in (self.trained() | self.untrained()).items()}
        first[SUPERVISED] = "probability"
        found: Files = {}
        for row in self.rows(domain):
            if row["score"] == first[row["method"]]:
                found.setdefault(row["method"], []).append(row["path"])
        return found

    def strength_rows(self, domain: str) -> list[Row]:
        """Headline scores as rows of the table of strengths."""
        return [
            {"domain": domain, "model": method, "seed": seed, "path": path}
            for method, paths in self.headline_scores(domain).items()
            for seed, path in enumerate(paths)
        ]

    def mae_files(self, domain: str, file: str) -> list[str]:
        """A file of the masked autoencoder of every seed."""
        runs = [filled(self.at.mae_run, domain=domain, seed=s) for s in self.config.anomaly.seeds]
        return [f"{run}/{file}" for run in runs]

    def figures(self) -> list[str]:
        """Names of the figures."""
        kinds = ["roc", "scores", "history", "summary", "strength", "reconstructions"]
        kinds += ["found"] * ("potential_filter" in self.by_fits())
        return [
            f"anomaly/{kind}_{d}"
            for d in self.domains
            for kind in kinds
            if kind not in OF_TRUTH or self.simulated([d])
        ]

    def strength_tables(self) -> list[str]:
        """Tables of AUC against strength."""
        return [self.at.table_csv(f"anomaly_strength_{d}") for d in self.simulated(self.domains)]

    def all_weights(self) -> list[str]:
        """Weights of every detector that is trained."""
        return [
            f"{self.at.root}/anomaly/{domain}/{method}/seed{seed}/weights.safetensors"
            for domain in self.domains
            for method in self.trained()
            for seed in self.config.anomaly.seeds
        ]
