"""Seeds as pure functions of counters, so that a resumed run draws what an unbroken one would have drawn."""

from __future__ import annotations

import torch

_MASK = (1 << 64) - 1


def mix(*numbers: int) -> int:
    """One well-spread 63-bit seed from several integers (the finaliser of splitmix64, Steele et al. 2014)."""
    state = 0
    for number in numbers:
        state = (state + (number & _MASK) + 0x9E3779B97F4A7C15) & _MASK
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
        state ^= state >> 31
    return state >> 1


def seed_default(seed: int, device: torch.device) -> None:
    """Seeds the default generator of the host and of `device`.

    `torch.manual_seed` is not used: where CUDA is compiled in but not started, each call of it stores a stack trace.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        index = torch.cuda.current_device() if device.index is None else device.index
        torch.cuda.default_generators[index].manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)
