"""Two domains whose samples belong to each other in kind, and not one by one."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from gantrain.data.batches import Batches
from gantrain.data.source import DataContext, PackedSource, Source
from gantrain.seeding import Purpose, mix

OTHER = "other"


class BothDomains(Batches):
    """Batches of two domains side by side: "real" of domain B, "other" of domain A, each in an order of its own.

    What else domain A gives stands under its name with `other_` before it, such as "other_label". An epoch of a domain
    is as long as the domain, so that its samples come equally often whatever the other's size.
    """

    def __init__(self, a: Batches, b: Batches) -> None:
        self._a, self._b = a, b
        self.size = None if a.size is None or b.size is None else max(a.size, b.size)

    @property
    def waited(self) -> float:  # type: ignore[override]
        return self._a.waited + self._b.waited

    def draw(self, position: int, n: int) -> dict[str, Tensor]:
        of_a = self._a.draw(position, n)
        named = {OTHER if name == "real" else f"{OTHER}_{name}": values for name, values in of_a.items()}
        return {**self._b.draw(position, n), **named}

    def unaugmented(self, seed: int | None = None) -> BothDomains:
        plain = copy.copy(self)
        plain._a, plain._b = self._a.unaugmented(None if seed is None else order_of_a(seed)), self._b.unaugmented(seed)
        return plain

    def close(self) -> None:
        self._a.close()
        self._b.close()


def order_of_a(seed: int) -> int:
    """The seed of domain A's order, where `seed` is that of domain B's: not even equal sizes make pairs."""
    return mix(seed, Purpose.DATA_ORDER)


class TwoDomains(Source):
    """A source of two domains, each of which is a source by itself.

    Attributes:
        a, b: the domains; `shape` and `classes` are those of b.
        other_shape: of a sample of a.
        names: of both in a word, a's first.
    """

    a: PackedSource
    b: PackedSource
    names: tuple[str, str] = ("A", "B")

    def set_domains(self, a: PackedSource, b: PackedSource) -> None:
        """Takes the domains, and says of the whole what follows from them."""
        self.a, self.b = a, b
        self.shape, self.other_shape, self.classes = b.shape, list(a.shape), b.classes
        self.fitting = b.fitting

    @abstractmethod
    def held_out_part(self) -> TwoDomains | None: ...

    def open(self, context: DataContext) -> BothDomains:
        """Each domain has the part of the budget that its size asks for; what is said of it is said once."""
        context = replace(context, say=_once(context.say))
        contexts = dict.fromkeys(("a", "b"), context)
        if context.budget is not None:
            sizes = {name: _bytes(source, context) for name, source in (("a", self.a), ("b", self.b))}
            shares = {name: context.budget * size // sum(sizes.values()) for name, size in sizes.items()}
            contexts = {name: replace(context, budget=share) for name, share in shares.items()}
        b = self.b.open(contexts["b"])
        return BothDomains(self.a.open(replace(contexts["a"], seed=order_of_a(context.seed))), b)

    def few(self, data_dir: Path) -> int | None:
        """Never: what makes few pictures enough, a discriminator that judges patches, is the game's to choose."""
        return None

    def class_names(self, data_dir: Path) -> Sequence[str]:
        return self.b.class_names(data_dir)


def _bytes(source: PackedSource, context: DataContext) -> int:
    """How many bytes of a domain are kept."""
    return sum(values[: context.limit].nbytes for values in source.fields(context).values())


def _once(say: Callable[[str], None]) -> Callable[[str], None]:
    """Says each line the first time alone: a domain is opened twice, to be measured and to be drawn from."""
    said: set[str] = set()

    def new(text: str) -> None:
        if text not in said:
            said.add(text)
            say(text)

    return new
