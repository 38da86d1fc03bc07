"""Curves: numbers by step, thinned so that a long run fits into a page, and put together on charts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

POINTS = 2000
"""Points of a curve, at most."""


@dataclass(frozen=True)
class Curve:
    """Values by step, in the order of steps; None is no finite number, and makes a gap."""

    steps: Sequence[int]
    values: Sequence[float | None]

    def thinned(self, points: int = POINTS) -> Curve:
        """The same with `points` at most: of each stretch the lowest and the highest, and the first and last of all.

        A spike stays, as high as it was. Of a stretch without a finite number its gap stays.
        """
        n = len(self.steps)
        if n <= points:
            return self
        stretches = max((points - 2) // 2, 1)
        bounds = [1 + k * (n - 2) // stretches for k in range(stretches + 1)]
        kept = {0, n - 1}
        for low, high in pairwise(bounds):
            known = [k for k in range(low, high) if self.values[k] is not None]
            order = sorted(known, key=lambda k: self.values[k] or 0.0)
            kept |= {order[0], order[-1]} if order else {low}
        chosen = sorted(kept)
        return Curve([self.steps[k] for k in chosen], [self.values[k] for k in chosen])

    def plain(self) -> dict[str, Any]:
        """As the page's script draws it, to five digits."""
        return {"x": list(self.steps), "y": [v if v is None else float(f"{v:.5g}") for v in self.values]}


def curves_of(lines: Iterable[Mapping[str, Any]]) -> dict[str, Curve]:
    """The curve of each tag in the lines of a metrics.jsonl."""
    found: dict[str, tuple[list[int], list[float | None]]] = {}
    for line in lines:
        for tag, value in line.items():
            if tag == "step" or not (value is None or _is_number(value)):
                continue
            steps, values = found.setdefault(tag, ([], []))
            if steps and steps[-1] == line["step"]:  # written twice: the later one counts
                values[-1] = finite(value)
            else:
                steps.append(line["step"])
                values.append(finite(value))
    return {tag: Curve(*pair) for tag, pair in found.items()}


@dataclass(frozen=True)
class Chart:
    """Curves that share axes."""

    title: str
    tags: Sequence[str]
    hint: str = ""
    """What it shows and what it should look like, in a sentence."""
    main: bool = True
    """Shown at once, not folded away."""

    @property
    def labels(self) -> list[str]:
        """What tells its curves apart: their tags without the parts that all begin or end with."""
        parts = [tag.split("/") for tag in self.tags]
        while all(len(words) > 1 for words in parts) and len({words[0] for words in parts}) == 1:
            parts = [words[1:] for words in parts]
        while all(len(words) > 1 for words in parts) and len({words[-1] for words in parts}) == 1:
            parts = [words[:-1] for words in parts]
        return [" ".join(words).replace("_", " ") for words in parts]


def charts_of(tags: Iterable[str]) -> list[Chart]:
    """The charts for these tags, what is looked at first at the beginning."""
    left = list(dict.fromkeys(tags))
    charts: list[Chart] = []

    def chart(title: str, chosen: Sequence[str], hint: str = "", main: bool = True) -> None:
        if chosen:
            charts.append(Chart(title, chosen, hint, main))
            left[:] = [tag for tag in left if tag not in chosen]

    def below(prefix: str, end: str = "") -> list[str]:
        return [tag for tag in left if tag.startswith(prefix) and tag.endswith(end)]

    for tag in below("metrics/"):
        chart(tag.removeprefix("metrics/"), [tag])
    losses = below("loss/", "/adversarial") or below("loss/", "/total")
    chart("loss", losses, "Level, not falling, is what a fair game of two players looks like.")
    chart("accuracy of the discriminator", below("accuracy/"), "0.5 guesses; 1 tells every fake apart.")
    chart("logits", below("logits/"), "What the discriminator makes of real and generated samples.")
    chart("gradient norm", below("grad_norm/"), "Of each player; near zero it learns nothing, growing it diverges.")
    for players in dict.fromkeys(tag.split("/")[1] for tag in below("loss/")):
        chart(f"loss terms of {players}", below(f"loss/{players}/"), main=False)
    chart("learning rate", below("lr/"), main=False)
    chart("images per second", below("speed/images_per_second"), main=False)
    chart("memory in GiB", below("memory/"), main=False)
    for what in dict.fromkeys("/".join(tag.split("/")[:2]) for tag in below("health/")):
        words = what.removeprefix("health/").replace("_", " ")
        chart(f"health: {words}", [tag for tag in left if tag == what or tag.startswith(f"{what}/")], main=False)
    known = ("speed/",)
    for room in dict.fromkeys(tag.split("/")[0] for tag in left if not tag.startswith(known)):
        chart(room.replace("_", " "), [tag for tag in left if tag == room or tag.startswith(f"{room}/")], main=False)
    return charts


def finite(value: Any) -> float | None:
    """The value where it is a finite number that a float can hold."""
    try:
        return float(value) if _is_number(value) and math.isfinite(value) else None
    except OverflowError:  # an integer of hundreds of digits
        return None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
