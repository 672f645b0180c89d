"""How steps are computed: precision and compilation. Weights and evaluations stay in float32."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import torch
from torch import nn

from lensml.schema.training import Compute


@dataclass(frozen=True)
class Execution:
    """Precision and compilation of a training run.

    Attributes:
        bfloat16: forward pass and loss are autocast to it. It has the range of float32, so that
            losses need no scaling.
        compiled: the forward pass of the trained networks is compiled.
    """

    bfloat16: bool = False
    compiled: bool = False

    @property
    def precision(self) -> str:
        """For the record of a run."""
        return "bfloat16" if self.bfloat16 else "float32"

    def autocast(self, device: torch.device) -> AbstractContextManager:
        """Context of a forward pass and its loss."""
        if not self.bfloat16:
            return nullcontext()
        return torch.autocast(device.type, torch.bfloat16)

    def prepare(self, module: nn.Module) -> None:
        """Compile the forward pass in place: names of weights and checkpoints stay as they are."""
        if self.compiled:
            module.compile()

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Context of an evaluation: float32 without TF32, and as it is written.

        A last batch of another size would be compiled anew.
        """
        matmul, convolution = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
        eager = torch.compiler.set_stance("force_eager") if self.compiled else nullcontext()
        torch.set_float32_matmul_precision("highest")
        torch.backends.cudnn.allow_tf32 = False
        try:
            with eager:
                yield
        finally:
            torch.set_float32_matmul_precision(matmul)
            torch.backends.cudnn.allow_tf32 = convolution


FLOAT32 = Execution()


def execution_of(compute: Compute, device: torch.device) -> Execution:
    """What a configuration asks for, on a device.

    ``auto`` is bfloat16 on GPUs that multiply it, and float32 elsewhere: without AMX, a CPU is
    seven times slower in bfloat16. With bfloat16 on a GPU, what remains in float32 may use TF32.
    """
    on_gpu = device.type == "cuda"
    wanted = compute.precision == "bfloat16"
    if compute.precision == "auto":
        wanted = on_gpu and torch.cuda.is_bf16_supported(including_emulation=False)
    if wanted and on_gpu:
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.allow_tf32 = True
    return Execution(bfloat16=wanted, compiled=compute.compile)
