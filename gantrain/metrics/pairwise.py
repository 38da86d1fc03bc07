"""Distances between many points: rows at a time, so that no table of all pairs must fit into memory."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

BLOCK = 2**24
"""Distances that are held at once: 128 MiB."""


def squared_distances(x: Tensor, y: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """|x_i - y_j|² of points x (n, d) and y (m, d) as float64 (rows, m), with the rows that they are of.

    By |x|² + |y|² - 2xy, around the mean of y, where the least is lost to rounding.
    """
    middle = y.double().mean(0)
    x, y = x.double() - middle, y.double() - middle
    lengths, others = x.square().sum(1), y.square().sum(1)
    rows = max(BLOCK // max(len(y), 1), 1)
    for start in range(0, len(x), rows):
        part = slice(start, min(start + rows, len(x)))
        table = torch.addmm(others[None], x[part], y.T, alpha=-2).add_(lengths[part, None])
        yield part, table.clamp_(min=0)


def squared_radii(x: Tensor, k: int) -> Tensor:
    """The squared distance (n,) of each point of x (n, d) to its k-th nearest other; 0 < k < n."""
    radii = x.new_empty(len(x), dtype=torch.float64)
    for rows, table in squared_distances(x, x):
        at = torch.arange(rows.start, rows.stop, device=x.device)
        table[at - rows.start, at] = torch.inf
        radii[rows] = table.kthvalue(k, dim=1).values
    return radii


def mean_distance(x: Tensor) -> float:
    """The mean of |x_i - x_j| over all pairs i < j of points x (n, d), n > 1: 0 where all are equal."""
    n, total = len(x), 0.0
    x = x.double() - x[0].double()  # equal points lie at 0 then, where no rounding keeps them apart
    lengths = x.square().sum(1)
    rows = max(BLOCK // n, 1)
    for start in range(0, n, rows):
        part = slice(start, start + rows)
        table = torch.addmm(lengths[None, start:], x[part], x[start:].T, alpha=-2).add_(lengths[part, None])
        total += table.clamp_(min=0).sqrt_().triu_(1).sum().item()
    return total / (n * (n - 1) / 2)


def nearest(x: Tensor, y: Tensor, own: int | None = None) -> tuple[Tensor, Tensor]:
    """The nearest of points y (m, d) to each of x (n, d): its distance (n,) and its number (n,).

    The search is in float32, but the distance is exact, 0 for a copy, and float64 where the device has that.

    Args:
        own: x_i is y_(i - own) itself, which does not count as its neighbour.
    """
    middle = y.mean(0)
    centred, others = x - middle, y - middle
    lengths = others.square().sum(1)
    found = torch.empty(len(x), dtype=torch.int64, device=x.device)
    rows = max(BLOCK // max(len(y), 1), 1)
    for start in range(0, len(x), rows):
        stop = min(start + rows, len(x))
        table = torch.addmm(lengths[None], centred[start:stop], others.T, alpha=-2)
        if own is not None:
            at = torch.arange(start, stop, device=x.device)
            inside = (at >= own) & (at < own + len(y))
            table[(at - start)[inside], (at - own)[inside]] = torch.inf
        found[start:stop] = table.argmin(1)
    exact = torch.float32 if x.device.type == "mps" else torch.float64  # which that device has not
    return (x.to(exact) - y[found].to(exact)).norm(dim=1), found
