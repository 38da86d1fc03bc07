"""Samples with what is known of them, and what discriminators and losses make of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class Samples:
    """Samples x (N, …), and by name what is known of each of them: labels (N,), codes (N, nz), pictures …

    `given` names the conditions under which a sample is judged and which are no part of what is judged, though they
    are numbers, such as the picture that it refines.
    """

    x: Tensor
    conditions: Mapping[str, Tensor] = field(default_factory=dict)
    given: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self.x)

    @property
    def continuous(self) -> dict[str, Tensor]:
        """Conditions that are numbers and judged with the samples, such as codes: gradients can be taken by them."""
        found = {name: values for name, values in self.conditions.items() if values.is_floating_point()}
        return {name: values for name, values in found.items() if name not in self.given}

    @property
    def discrete(self) -> dict[str, Tensor]:
        """The conditions that can only be equal or not, such as labels."""
        return {name: values for name, values in self.conditions.items() if not values.is_floating_point()}

    def only(self, names: Collection[str], given: Collection[str] = ()) -> Samples:
        """The samples with no conditions but those named, of which some are given."""
        return replace(self, conditions={name: self.conditions[name] for name in names}, given=frozenset(given))

    def map_pictures(self, change: Callable[[Tensor], Tensor]) -> Samples:
        """The samples changed, and with each the pictures among its conditions that lie pixel on pixel with it.

        These are joined along the channels for the change, so that whatever moves a sample moves them as well.
        """
        x = self.x
        beside = {k: v for k, v in self.conditions.items() if v.dim() == x.dim() == 4 and v.shape[2:] == x.shape[2:]}
        if not beside:
            return replace(self, x=change(x))
        parts = [x, *beside.values()]
        x, *others = change(torch.cat(parts, 1)).split([part.shape[1] for part in parts], 1)
        return replace(self, x=x, conditions={**self.conditions, **dict(zip(beside, others, strict=True))})

    def map(self, change: Callable[[Tensor], Tensor]) -> Samples:
        """The samples and every condition of theirs, changed."""
        return replace(self, x=change(self.x), conditions={name: change(v) for name, v in self.conditions.items()})

    @staticmethod
    def join(parts: Sequence[Samples]) -> Samples:
        """Samples with the same conditions, one part after the other."""
        names = parts[0].conditions
        conditions = {name: torch.cat([part.conditions[name] for part in parts]) for name in names}
        return replace(parts[0], x=torch.cat([part.x for part in parts]), conditions=conditions)

    def replace_first(self, others: Samples) -> Samples:
        """The first of the samples replaced by others, which have the same conditions."""
        count = len(others)
        return Samples.join([others, self.map(lambda values: values[count:])]) if count else self


@dataclass(frozen=True)
class Scores:
    """What a discriminator made of samples: logits (N,), or (N, P) for P patches, and the features under them."""

    samples: Samples
    logits: Tensor
    features: Tensor


@dataclass(frozen=True)
class Comparison:
    """One discriminator's scores of fakes, and of real samples where the turn has them."""

    fake: Scores
    real: Scores | None


@dataclass(frozen=True)
class LossInputs:
    """The logits that an adversarial loss is given, and targets where they are not the loss's own."""

    fake: Tensor
    real: Tensor | None = None
    real_target: float | Tensor | None = None
    fake_target: float | Tensor | None = None
