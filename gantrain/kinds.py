"""What samples are, as the number of their axes says."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum


class Kind(Enum):
    """Numbers [D], sound [channels, samples] in [-1, 1], or pictures [C, H, W] in [-1, 1]. The value is its word."""

    NUMBERS = "numbers"
    SOUND = "sound"
    PICTURES = "pictures"

    @classmethod
    def of(cls, shape: Sequence[int]) -> Kind:
        """That of samples of a shape.

        Raises:
            ValueError: no samples have so many axes.
        """
        try:
            return {1: cls.NUMBERS, 2: cls.SOUND, 3: cls.PICTURES}[len(shape)]
        except KeyError:
            raise ValueError(
                "shape must be [C, H, W] for images, [channels, samples] for sound or [D] for numbers, got "
                f"{list(shape)}"
            ) from None
