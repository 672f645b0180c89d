"""Self-supervision on the target: hidden pixels are predicted while the source is classified.

The masked autoencoder's idea (arXiv:2111.06377) in a way that every encoder can take, SimMIM's
(arXiv:2111.09886).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from lensml.models.masked_image import TokenDecoder, hidden_pixels
from lensml.models.tokens import tokens_of
from lensml.training.adaptation.joint.task import TARGET_MASKS, TRAINED, Batch, JointTask
from lensml.training.engine.order import step_generator


class MaskedReconstructionTask(JointTask):
    """Class loss on the source, squared error of hidden pixels of the target."""

    passes = 2 * TRAINED

    def __init__(self, *args: Any, **options: Any) -> None:
        """Prepare adaptation; see :class:`JointTask`."""
        super().__init__(*args, **options)
        target = self.batches.target
        with torch.no_grad():
            tokens = tokens_of(self.average.encoder, target.batch(self.batches.target_order(0)))
        torch.manual_seed(self.seed)
        decoder = TokenDecoder(tokens.shape[1], tokens.shape[2], target.img_size, target.in_chans)
        self.decoder = decoder.to(self.device)
        # "use_fallback" is Muon's: the last layer is none of its matrices.
        self.optimizer.add_param_group(
            {"params": list(self.decoder.parameters()), "use_fallback": True}
        )

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Class loss and the weighted error of reconstruction."""
        class_loss = self.class_loss(self.network(batch.source), batch.labels)
        spec = self.method
        n, size = len(batch.target), batch.target.shape[-1]
        generator = step_generator(self.seed, batch.step, TARGET_MASKS)
        hidden = hidden_pixels(n, size, spec.patch_size, spec.mask_ratio, generator)
        hidden = hidden.to(batch.target.device)
        seen = batch.target.masked_fill(hidden, 0.0)
        predicted = self.decoder(tokens_of(self.network.encoder, seen)).float()
        error = (predicted - batch.target).square()[hidden.expand_as(predicted)].mean()
        return {"class": class_loss, "reconstruction": spec.weight * error}

    def parts(self) -> dict[str, Any]:
        """The decoder too."""
        return {**super().parts(), "decoder": self.decoder}
