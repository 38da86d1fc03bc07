"""Settings that may be left at `auto`."""

from __future__ import annotations

from typing import Any


class Automatic:
    """A class some of whose settings follow from the data and the loss."""

    @classmethod
    def auto(cls, key: str, shape: list[int], per_sample: bool) -> Any:
        """The value of the setting `key` that was left at `auto`.

        Args:
            shape: of one sample, [C, H, W] or [D].
            per_sample: the loss forbids batch norm in the discriminator.

        Raises:
            ValueError: the setting has no automatic value.
        """
        raise ValueError(f"{key} has no automatic value: set one")
