"""A turn that is played in equal shares, one after the other or on several devices at once, equals the whole turn.

A share has every k-th sample of the turn. What a turn draws at random for its samples is drawn for all of them, of
which a share takes its own; where samples meet, the devices put theirs together. Outside of a share, which is whenever
one device plays a turn in one piece, the functions here are PyTorch's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Share:
    """What one device plays at once.

    Attributes:
        device, devices: its number, and how many play at the same time.
        part, parts: the number of what they play, and in how many parts the turn is played one after the other.
        unit: samples that stay together, because they are judged as one.
        add: the sum of a tensor over devices, differentiable any number of times.
    """

    device: int = 0
    devices: int = 1
    part: int = 0
    parts: int = 1
    unit: int = 1
    add: Callable[[Tensor], Tensor] = lambda x: x

    @property
    def number(self) -> int:
        """Of the share, among all that the turn is played in."""
        return self.part + self.parts * self.device

    @property
    def count(self) -> int:
        """How many shares there are."""
        return self.parts * self.devices

    def take(self, x: Tensor) -> Tensor:
        """Of samples (N, …) of the whole turn those of this share."""
        if self.unit == 1:
            return x[self.number :: self.count]
        return x.unflatten(0, (-1, self.count, self.unit))[:, self.number].flatten(0, 1)

    def next(self) -> tuple[Share, bool]:
        """The share that the device plays after this one, and whether that is of another turn."""
        part = (self.part + 1) % self.parts
        return replace(self, part=part), part == 0


_playing: Share | None = None


def playing() -> Share | None:
    """The share that is played now; None where a turn is played whole, and outside of turns."""
    return _playing


@contextmanager
def share_played(share: Share | None) -> Iterator[None]:
    """Inside, this share of a turn is played; None for something that is whole on each device."""
    global _playing
    before, _playing = _playing, share
    try:
        yield
    finally:
        _playing = before


def take(x: Tensor) -> Tensor:
    """Of samples (N, …) of the whole turn those that are played now."""
    return x if _playing is None else _playing.take(x)


def whole(n: int) -> int:
    """How many samples the turn has, of which n are played now."""
    return n if _playing is None else n * _playing.count


def part_of(n: int) -> int:
    """How many of the first n samples of the turn are played now."""
    return n if _playing is None else len(range(_playing.number, n, _playing.count))


# --- what is drawn ---------------------------------------------------------------------------------------------------


def rand(*size: int, device: torch.device, dtype: torch.dtype | None = None, axis: int = 0) -> Tensor:
    """U[0, 1) of this size, whose axis `axis` counts samples, or several samples' worth of them one after the other."""
    return _drawn(lambda shape: torch.rand(shape, device=device, dtype=dtype), size, axis)


def randn(*size: int, device: torch.device) -> Tensor:
    """N(0, 1) of this size, whose first axis counts samples."""
    return _drawn(lambda shape: torch.randn(shape, device=device), size, 0)


def randint(low: int, high: int, *size: int, device: torch.device, axis: int = 0) -> Tensor:
    """Whole numbers from `low` to below `high`, int64, of this size, whose axis `axis` counts samples."""
    return _drawn(lambda shape: torch.randint(low, high, shape, device=device), size, axis)


def rand_pairs(rows: int, columns: int, device: torch.device) -> Tensor:
    """U[0, 1) for each sample of this share and each of all devices."""
    if _playing is None:
        return torch.rand(rows, columns, device=device)
    return rand(rows, columns * _playing.parts, device=device)[:, _playing.part :: _playing.parts]


def rand_like(x: Tensor) -> Tensor:
    """U[0, 1) for every number of samples (N, …)."""
    return torch.rand_like(x) if _playing is None else _mine(_whole_like(x).uniform_())


def randn_like(x: Tensor) -> Tensor:
    """N(0, 1) for every number of samples (N, …)."""
    return torch.randn_like(x) if _playing is None else _mine(_whole_like(x).normal_())


def dropout(x: Tensor, p: float) -> Tensor:
    """Samples (N, …) of which each number is 0 with probability p and else divided by 1 - p."""
    if _playing is None:
        return F.dropout(x, p, training=True)
    return x * _mine(_whole_like(x).bernoulli_(1 - p)).div(1 - p)


def each_part(draw: Callable[[], Tensor]) -> Tensor:
    """What is drawn for each part of a turn by itself, the same on all devices: that of the part played now."""
    return draw() if _playing is None else [draw() for _ in range(_playing.parts)][_playing.part]


def _drawn(draw: Callable[[tuple[int, ...]], Tensor], size: tuple[int, ...], axis: int) -> Tensor:
    if _playing is None:
        return draw(size)
    drawn = draw((*size[:axis], size[axis] * _playing.count, *size[axis + 1 :]))
    return drawn[(slice(None),) * axis + (slice(_playing.number, None, _playing.count),)]


def _mine(x: Tensor) -> Tensor:
    assert _playing is not None
    return x[_playing.number :: _playing.count]


def _whole_like(x: Tensor) -> Tensor:
    """Room for as many samples as the turn has, laid out as x is, so that the same numbers come to the same places."""
    last = x.dim() == 4 and not x.is_contiguous() and x.is_contiguous(memory_format=torch.channels_last)
    layout = torch.channels_last if last else torch.contiguous_format
    return torch.empty(whole(len(x)), *x.shape[1:], device=x.device, dtype=x.dtype, memory_format=layout)


# --- where samples meet ----------------------------------------------------------------------------------------------


def devices() -> int:
    """How many devices play at the same time."""
    return 1 if _playing is None else _playing.devices


def add(x: Tensor) -> Tensor:
    """The sum of a tensor over devices, differentiable. The gradient of what each minimises is averaged over them."""
    return x if _playing is None or _playing.devices == 1 else _playing.add(x)


def mean(x: Tensor) -> Tensor:
    """The mean of a tensor over devices, differentiable."""
    return x if devices() == 1 else add(x) / devices()


def gathered(x: Tensor) -> Tensor:
    """Samples (n, …) of this device to those of all devices (n · devices, …), in the turn's order; differentiable."""
    if _playing is None or _playing.devices == 1:
        return x
    mine = x.to(torch.uint8) if x.dtype == torch.bool else x
    places = [torch.zeros_like(mine)] * _playing.devices
    places[_playing.device] = mine
    return _playing.add(torch.stack(places, 1)).flatten(0, 1).to(x.dtype)


def own(x: Tensor) -> Tensor:
    """Of samples of all devices those of this one."""
    return x if _playing is None or _playing.devices == 1 else x[_playing.device :: _playing.devices]
