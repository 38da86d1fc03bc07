"""Who plays."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum


class Role(Enum):
    """What a player does in its game. The value is what configs call it."""

    GENERATOR = "generator"
    DISCRIMINATOR = "discriminator"
    CLASSIFIER = "classifier"
    ENCODER = "encoder"


@dataclass(frozen=True, eq=False)
class Player:
    """A player of a game: its name, such as `discriminator_2`, and its role."""

    name: str
    role: Role

    @property
    def is_generator(self) -> bool:
        return self.role is Role.GENERATOR

    @property
    def is_discriminator(self) -> bool:
        return self.role is Role.DISCRIMINATOR

    def __hash__(self) -> int:
        return hash((self.name, self.role))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            raise TypeError(f"a player is no word: compare its name with {other!r}, or ask player.is_discriminator …")
        return isinstance(other, Player) and (self.name, self.role) == (other.name, other.role)

    def is_among(self, words: Collection[str]) -> bool:
        """Whether one of the words is its name or its role."""
        return self.name in words or self.role.value in words
