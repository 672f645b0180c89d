"""Muon in the precision that the device multiplies fast."""

from __future__ import annotations

from typing import Any

import torch
from timm.optim.muon import Muon as TimmMuon
from timm.optim.muon import get_lr_scale, zeropower_via_newtonschulz
from torch import Tensor, nn

# Of the five iterations: timm's default, closer to orthogonal than the published ones.
NEWTON_SCHULZ = [
    (4.0848, -6.8946, 2.9270),
    (3.9505, -6.3029, 2.6377),
    (3.7418, -5.5913, 2.3037),
    (2.8769, -3.1427, 1.2046),
    (2.8366, -3.0525, 1.2012),
]
MIN_SIZE, MAX_ASPECT_RATIO = 4, 128  # of a matrix whose update can be made orthogonal


class Muon(TimmMuon):
    """timm's Muon, but updates are made orthogonal in float32 on a CPU.

    In bfloat16, as timm does it, a CPU is 10 to 30 times slower. Groups with ``use_fallback`` are
    timm's NAdamW.
    """

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One step of every group."""
        for group in self.param_groups:
            if not group.get("use_fallback"):
                for p in group["params"]:
                    if p.grad is not None:
                        self._step(p, p.grad, group)
                        p.grad = None  # done: timm's step passes it by
        return super().step(closure)

    def _step(self, p: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        """Nesterov momentum, made orthogonal (Jordan et al. 2024), at AdamW's size."""
        state = self.state[p]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(p)
        momentum = state["momentum_buffer"].lerp_(gradient, 1 - group["momentum"])
        update = gradient.lerp(momentum, group["momentum"]).reshape(len(p), -1)
        dtype = torch.float32 if p.device.type == "cpu" else torch.bfloat16
        update = zeropower_via_newtonschulz(update, len(NEWTON_SCHULZ), NEWTON_SCHULZ, dtype=dtype)
        rate = group["lr"] * get_lr_scale(update.shape, group["adjust_lr_fn"])
        p.mul_(1 - group["lr"] * group["weight_decay"])
        p.add_(update.reshape(p.shape).to(p.dtype), alpha=-rate)


def suits_muon(p: nn.Parameter) -> bool:
    """Whether a weight is a matrix, a convolution's being (out, in * height * width).

    Tables of positions (1, L, D), depthwise convolutions (C, 1, h, w), and matrices that are
    narrow or long are none (timm's rules).
    """
    if p.ndim < 2 or p.shape[0] == 1 or p.shape[1] == 1:
        return False
    sides = sorted((p.shape[0], p.numel() // p.shape[0]))
    return sides[0] >= MIN_SIZE and sides[1] <= MAX_ASPECT_RATIO * sides[0]
