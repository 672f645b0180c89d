"""What methods share that train on labelled source and unlabelled target images together."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from lensml.data.torch_dataset import Images
from lensml.models.distortion import distort
from lensml.models.encoders import Classifier, batch_norm_layers
from lensml.schema.adaptation import Distortion, Joint
from lensml.schema.encoders import NetworkInput
from lensml.training.adaptation.domain_batches import DomainBatches
from lensml.training.engine.averaging import WeightAverage
from lensml.training.engine.execution import FLOAT32, Execution
from lensml.training.engine.optimizer import optimise, optimizer_of, set_learning_rate
from lensml.training.engine.order import step_generator

FORWARD, TRAINED = 1, 3  # passes through the encoder: a backward pass costs two forward ones
# Purposes of generators, after those of the batches.
SOURCE_DISTORTION, TARGET_DISTORTION, TARGET_MASKS = 3, 4, 5


class Batch(NamedTuple):
    """Images of a step: (B, 1, H, W) of either domain, and the source's (B,) labels."""

    source: Tensor
    labels: Tensor
    target: Tensor
    step: int


class JointTask(ABC):
    """Trains a whole source classifier further; a method says which losses.

    Nothing here can read a target label: the target is a pool that has none. A fixed number of
    steps is run and the average of the weights is kept, so nothing is selected either.
    """

    passes: ClassVar[int]  # through the encoder, of one image of either domain in a step

    def __init__(
        self,
        network: Classifier,
        source: Images,
        target: Images,
        *,
        spec: Joint,
        method: Any,
        distortion: Distortion,
        network_input: NetworkInput,
        steps: int,
        seed: int,
        symmetries: tuple[str, str],
        device: torch.device,
        execution: Execution = FLOAT32,
    ) -> None:
        """Prepare adaptation.

        Args:
            network: trained on the source domain; trained further in place.
            source: labelled images.
            target: a pool of images without labels.
            spec: optimiser, schedule, averaging.
            method: section of the method's own settings, its learning rate among them.
            distortion: strong augmentation, for the methods that use it.
            network_input: scale of the images.
            steps: in total.
            seed: of data order and augmentation.
            symmetries: of the source's and of the target's population.
            device: of network and batches.
            execution: precision and compilation.

        Raises:
            ValueError: the target images carry labels.
        """
        self.batches = DomainBatches(
            source, target, batch_size=spec.batch_size, seed=seed, symmetries=symmetries
        )
        assert source.labels is not None
        self.network = network.to(device).to(memory_format=torch.channels_last).train()
        self.average = copy.deepcopy(self.network).requires_grad_(False).eval()
        self.averaging = WeightAverage(self.average, self.network)
        if method.batch_norm == "source":
            for layer in batch_norm_layers(self.network):
                layer.eval()
        self.spec, self.method = spec, method
        self.distortion, self.network_input = distortion, network_input
        self.steps, self.seed = steps, seed
        self.device, self.execution = device, execution
        self.labels = torch.from_numpy(np.asarray(source.labels)).to(device)
        self.optimization = spec.optimization(method.learning_rate)
        self.optimizer = optimizer_of(self.network, self.optimization)
        execution.prepare(self.network)

    @abstractmethod
    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Losses of a batch, which are added up, by name."""

    def step(self, step: int) -> dict[str, Tensor]:
        """One batch of either domain."""
        set_learning_rate(self.optimizer, self.optimization, step, self.steps)
        source, target, index = self.batches(step)
        labels = self.labels[torch.from_numpy(index).to(self.device)]
        batch = Batch(source, labels, target, step)
        with self.execution.autocast(self.device):
            losses = self.losses(batch)
        loss = torch.stack(list(losses.values())).sum()
        optimise(self.optimizer, loss, self.network, self.spec.clip_grad_norm)
        # The average forgets where it began as fast as it can, then at its own pace.
        self.averaging.update(min(self.spec.ema_decay, (1 + step) / (10 + step)))
        return {f"{name}_loss": value.detach() for name, value in losses.items()}

    def distorted(self, x: Tensor, step: int, purpose: int) -> Tensor:
        """Images of a step with strong augmentation."""
        generator = step_generator(self.seed, step, purpose)
        return distort(x, self.distortion, self.network_input, generator)

    def embedded(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Embeddings of source and target, (B, D) each.

        Each domain passes alone, so that batch norm never mixes their statistics.
        """
        return self.network.encoder(batch.source), self.network.encoder(batch.target)

    def class_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy on source labels."""
        return functional.cross_entropy(logits.float(), labels)

    def evaluate(self, step: int) -> dict[str, float]:
        """Nothing more than the losses can be known without labels."""
        return {}

    def parts(self) -> dict[str, Any]:
        """Everything with a state: network, average, optimiser, and what a method adds."""
        return {"network": self.network, "average": self.average, "optimizer": self.optimizer}

    def state_dict(self) -> dict[str, Any]:
        """State of every part."""
        return {name: part.state_dict() for name, part in self.parts().items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Inverse of :meth:`state_dict`."""
        parts: dict[str, nn.Module | torch.optim.Optimizer] = self.parts()
        for name, content in state.items():
            parts[name].load_state_dict(content)
