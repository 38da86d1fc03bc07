"""Seeds as pure functions of counters, so that a resumed run draws what an unbroken one would have drawn."""

from __future__ import annotations

from enum import IntEnum

import torch

_MASK = (1 << 64) - 1


class Purpose(IntEnum):
    """What a seed is used for: the second number that is mixed into it.

    No two uses draw the same, for this number differs, or how many others follow.
    """

    TURN = 0
    """A player's turn; the step, and the number of the turn in its round, follow."""
    DATA_ORDER = 1
    """The order of real samples; a stream and an epoch follow."""
    CLASSIFIER = 1
    """Weights, order and dropout of a classifier of labels: no number follows, so it draws what no order draws."""
    FIXED_DATA = 2
    """The few samples that are kept of a distribution which is else drawn afresh."""
    EVALUATION = 3
    PICTURES = 4
    SAMPLES = 5
    """What `gantrain sample` writes."""
    WEIGHTS = 6
    """The initial weights of a game's networks."""
    BEGINNING = 7
    """What is drawn before the first turn of a run."""
    REAL_DATA = 8
    """The real samples of an evaluation, where they are drawn afresh; their position follows."""
    HEALTH = 9
    """What is looked at for a run's health."""
    STANDING = 10
    """What the statistics of norms are taken of, before samples of truncated noise."""
    DUALITY_GAP = 30
    """The best answers of the players to each other; the step, and the number of the player, follow."""


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


def default_state(device: torch.device) -> list[torch.Tensor]:
    """Where the default generators of the host and of `device` stand."""
    states = [torch.default_generator.get_state()]
    if device.type == "cuda":
        states.append(torch.cuda.get_rng_state(device))
    elif device.type == "mps":
        states.append(torch.mps.get_rng_state())
    return states


def restore_default(states: list[torch.Tensor], device: torch.device) -> None:
    """Sets the default generators to where they stood."""
    torch.default_generator.set_state(states[0])
    if device.type == "cuda":
        torch.cuda.set_rng_state(states[1], device)
    elif device.type == "mps":
        torch.mps.set_rng_state(states[1])
