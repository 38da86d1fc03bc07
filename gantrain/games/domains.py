"""What games of two domains ask of the data."""

from __future__ import annotations


def refuse_one_domain(other_shape: list[int] | None, model: str) -> list[int]:
    """The shape of domain A's samples.

    Raises:
        ValueError: there is no domain A.
    """
    if other_shape is None:
        raise ValueError(
            f"model={model} is a game of two domains, and the dataset has one: use dataset=unpaired_folders with your "
            "own two folders of pictures, or dataset=digits_domains"
        )
    return other_shape
