"""Samples with what is known of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from torch import Tensor


@dataclass(frozen=True)
class Shown:
    """Samples (N, …), and by name what a discriminator is told about each of them, such as labels (N,)."""

    samples: Tensor
    given: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def continuous(self) -> dict[str, Tensor]:
        """What of `given` are numbers that a gradient can be taken with respect to, such as codes."""
        return {name: values for name, values in self.given.items() if values.is_floating_point()}

    @property
    def discrete(self) -> dict[str, Tensor]:
        """What of `given` can only be equal or not, such as labels."""
        return {name: values for name, values in self.given.items() if not values.is_floating_point()}

    def only(self, names: Collection[str]) -> Shown:
        """The samples with nothing told but what is named."""
        return replace(self, given={name: self.given[name] for name in names})
