"""Watching an adaptation without labels, and what to say about it."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pandas as pd
import torch
from torch import nn

from lensml.data.torch_dataset import Images
from lensml.training.adaptation.criteria import (
    information,
    logit_spread,
    mmd,
    predicted_shares,
    softmax,
)
from lensml.training.engine.execution import Execution
from lensml.training.engine.prediction import embed

N_WATCHED = 500  # images of either domain
SATURATED = 0.1  # spread of the target's logits over the source's
CERTAIN = 0.99  # accuracy of the discriminator


class Watch:
    """What a shared head makes of both domains' embeddings.

    The same images are looked at every time, and no random number is drawn that training uses: a
    run that is watched gives the same weights as one that is not.
    """

    def __init__(
        self,
        head: nn.Module,
        source_encoder: nn.Module,
        source: Images,
        target: Images,
        *,
        seed: int,
        execution: Execution,
    ) -> None:
        """Choose the images.

        Args:
            head: of the source classifier, (N, D) -> (N, K) logits; it stays as it is.
            source_encoder: that the head was trained with; it stays as it is.
            source: images (their labels are not used).
            target: a pool without labels.
            seed: of the choice.
            execution: under which evaluations are made.
        """
        self.head, self.source_encoder = head, source_encoder
        self.source, self.target, self.execution = source, target, execution
        rng = np.random.default_rng(seed)
        self._indices = [rng.permutation(len(x))[:N_WATCHED] for x in (source, target)]

    def measure(self, encoder: nn.Module) -> dict[str, float]:
        """Columns of a history: IM, predicted shares, spread of the logits, MMD.

        Args:
            encoder: of the target, in evaluation mode.
        """
        source_embedding, source_logits = self._source
        embedding, logits = self._seen(encoder, self.target, self._indices[1])
        probabilities = softmax(logits)
        shares = {f"share_{k}": float(s) for k, s in enumerate(predicted_shares(probabilities))}
        return {
            "im": information(probabilities),
            "logit_spread": logit_spread(logits, source_logits),
            "mmd": mmd(source_embedding, embedding),
            **shares,
        }

    @cached_property
    def _source(self) -> tuple[np.ndarray, np.ndarray]:
        return self._seen(self.source_encoder, self.source, self._indices[0])

    @torch.no_grad()
    def _seen(
        self, encoder: nn.Module, images: Images, index: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Embeddings and logits."""
        with self.execution.evaluating():
            embedding = embed(encoder, images, index)
            logits = self.head(embedding)
        return embedding.cpu().double().numpy(), logits.cpu().double().numpy()


def complaint(history: pd.DataFrame, warmup_steps: int) -> str | None:
    """What is wrong with an adaptation, in a line, or None.

    Args:
        history: a row per evaluation.
        warmup_steps: in which the discriminator learns alone.
    """
    found = []
    spread = history["logit_spread"].iloc[-1]
    if spread < SATURATED:
        found.append(
            f"the target's logits have {spread:.2g} of the spread of the source's (below "
            f"{SATURATED:g}): saturated: harmonise first"
        )
    accuracy = history.loc[history["step"] > warmup_steps, "discriminator_accuracy"]
    if len(accuracy) and accuracy.min() > CERTAIN:
        found.append(
            f"the discriminator was never right less than {accuracy.min():.1%} of the time: its "
            "gradient says nothing: harmonise first"
        )
    return "; ".join(found) or None
