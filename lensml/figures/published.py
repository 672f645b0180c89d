"""What others published on pairs of domains, with the protocol, to stand beside a run's values."""

from __future__ import annotations

from dataclasses import dataclass

TEST_SELECTED = "chosen on test labels"  # the step of training, on the target's labelled images


@dataclass(frozen=True)
class Published:
    """Values that others give for a pair, without an interval.

    Attributes:
        model: network.
        protocol: how the network was chosen that was measured.
        values: by metric of the table of adaptation.
    """

    model: str
    protocol: str
    values: dict[str, float]

    @property
    def name(self) -> str:
        """For a legend."""
        return f"published {self.model}, {self.protocol}"


# Self-reported, on files without the noise that the domains of these names have here.
PUBLISHED: dict[tuple[str, str], tuple[Published, ...]] = {
    ("model_ii", "model_iii"): (
        Published("ResNet-18", TEST_SELECTED, {"roc_auc_ovr_macro": 0.955, "accuracy": 0.858}),
        Published(
            "equivariant CNN", TEST_SELECTED, {"roc_auc_ovr_macro": 0.980, "accuracy": 0.915}
        ),
    ),
}
