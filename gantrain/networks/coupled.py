"""Networks of two domains that share layers (Liu & Tuzel 2016)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from gantrain.networks.conditioning import Sequential
from gantrain.networks.network import Discriminator, Generator


def layers_of(network: nn.Module) -> list[str]:
    """The names of a network's layers with weights, in order; what a layer is made of does not count by itself."""
    found: list[str] = []
    for name, module in network.named_modules():
        inside = found and name.startswith(f"{found[-1]}.")
        if not inside and (list(module.parameters(recurse=False)) or hasattr(module, "parametrizations")):
            found.append(name)
    return found


def share(other: nn.Module, network: nn.Module, names: list[str]) -> None:
    """Puts the layers of those names of `network` into `other`, in the place of its own."""
    for name in names:
        other.set_submodule(name, network.get_submodule(name))


class CoupledGenerators(nn.Module):
    """Noise (N, nz) to a pair of samples, of domain A and of domain B, that belong together.

    Args:
        make_a, make_b: make the generator of each domain.
        own: so many of the last layers with weights each has for itself; the others are shared.

    Raises:
        ValueError: none are shared.
    """

    def __init__(self, make_a: Callable[[], Generator], make_b: Callable[[], Generator], own: int) -> None:
        super().__init__()
        self.a, self.b = make_a(), make_b()
        names = layers_of(self.a)
        _refuse_none_shared("generator", own, len(names))
        share(self.b, self.a, names[: len(names) - own])

    def forward(self, noise: Tensor) -> tuple[Tensor, Tensor]:
        if not (_in_a_row(self.a) and _in_a_row(self.b)):
            return self.a(noise), self.b(noise)
        first = second = noise
        for of_a, of_b in zip(self.a.net, self.b.net, strict=True):
            both = second is first and _held(of_a) == _held(of_b)
            first = of_a(first)
            second = first if both else of_b(second)  # what both share is computed once
        return first, second


def _in_a_row(network: Generator) -> bool:
    """Whether a generator is its layers `net` one after the other, and no more."""
    return type(network).forward is Generator.forward and isinstance(network.net, Sequential)


def _held(module: nn.Module) -> list[int]:
    """What tells modules with the same weights, and buffers such as running means, from others."""
    return [id(tensor) for tensor in (*module.parameters(), *module.buffers())]


class CoupledTrunk(nn.Module):
    """Pairs of samples, of domain B and of domain A, to the features of both beside each other."""

    def __init__(self, a: nn.Module, b: nn.Module) -> None:
        super().__init__()
        self.a, self.b = a, b

    def forward(self, x: Tensor, other: Tensor) -> Tensor:
        return torch.cat([self.b(x), self.a(other)], 1)


class CoupledDiscriminator(Discriminator):
    """Pairs of samples, of domain B and of domain A (`other`), to two logits for each pair (N, 2), or to (N, 2P).

    Each sample is judged by itself, by a discriminator of its domain: their trunks share all but the first layers, and
    they have one head.

    Args:
        make_a, make_b: make the discriminator of each domain.
        own: so many of the first layers with weights each has for itself.

    Raises:
        ValueError: none but the head would be shared.
    """

    def __init__(self, make_a: Callable[[], Discriminator], make_b: Callable[[], Discriminator], own: int) -> None:
        super().__init__()
        a, b = make_a(), make_b()
        names = layers_of(b.trunk)
        _refuse_none_shared("discriminator", own, len(names) + 1)
        share(a.trunk, b.trunk, names[own:])
        self.add_module("trunk", CoupledTrunk(a.trunk, b.trunk))
        self.head, self.flat, self.canvas = b.head, b.flat, b.canvas

    def logits(self, features: Tensor) -> Tensor:
        return torch.cat([self.head(part).flatten(1) for part in features.chunk(2, 1)], 1)

    def score(self, x: Tensor, **conditions: Tensor) -> tuple[Tensor, Tensor]:
        features = self.trunk(x, conditions["other"])
        return self.logits(features), features


def _refuse_none_shared(role: str, own: int, count: int) -> None:
    if own >= count:
        raise ValueError(
            f"{role}_own={own} leaves nothing to share of {count} layers with weights: set a smaller model.{role}_own"
        )
