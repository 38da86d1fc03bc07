"""Whether discriminator and generator are a match for each other."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from itertools import pairwise

from gantrain.health.facts import Facts
from gantrain.health.findings import Finding, Lasting, by_player, percent

FAR = 0.05
"""Energy distance above which generated samples are not where real ones are; healthy runs mostly end below 0.02."""
SURE = 0.98
"""Accuracy of a discriminator that is hardly ever wrong."""
FOOLED = 0.6
VANISHED = 1e-4
"""Norm of a generator's gradient that moves nothing."""
DWARFS = 10.0
"""So many times its adversarial loss a penalty may be."""
WINDOW = 24
"""Lines in which an oscillation is looked for."""
HIGH, LOW = 0.85, 0.4
"""Between which a discriminator's accuracy swings."""
SWINGS = 4


class Standstill(Lasting):
    """Knows whether generated samples are far from real ones and come no nearer, by the last three looks at them."""

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts)
        self._distances: deque[float] = deque(maxlen=3)

    def see(self, step: int, numbers: Mapping[str, float]) -> Finding | None:
        if step and "health/energy_distance" in numbers:  # nothing is learnt before the first step
            self._distances.append(numbers["health/energy_distance"])
        return super().see(step, numbers)

    @property
    def stuck_at(self) -> float | None:
        """The energy distance at which they stay; None where they are near, or on their way."""
        if len(self._distances) < 3 or self._distances[-1] <= FAR:
            return None
        return self._distances[-1] if self._distances[-1] > 0.7 * self._distances[0] else None


class DiscriminatorWins(Standstill):
    """D is nearly always right and G does not get nearer.

    For critics (Wasserstein) being right about most pairs is what they are for: there only a vanished gradient counts.
    Relativistic discriminators are right about nearly all pairs of pictures in healthy runs too; that is an alarm, as
    for all others, only where samples stay far from real ones and come no nearer.
    """

    name, title = "discriminator_wins", "the discriminator wins"
    patience, warm_up = 5, 0.15

    def look(self, step: int, numbers: Mapping[str, float]) -> str | None:
        accuracy = by_player(numbers, "accuracy")
        if not accuracy:
            return None
        if min(accuracy.values()) < SURE:
            return ""
        gradient = self.latest.get("grad_norm/generator")
        far = self.stuck_at
        right = f"it is right about {percent(min(accuracy.values()))} of samples"
        if gradient is not None and gradient < VANISHED:
            return f"{right}, and the generator's gradient has vanished (norm {gradient:.2g})"
        if far is not None and self.facts.kind != "critic":
            return f"{right}, and generated samples stay far from real ones (energy distance {far:.2g}, alike is 0)"
        return ""

    def advice(self) -> str:
        if not self.facts.penalties:
            return "restrain it: loss=r1"
        return f"slow it down: {self.facts.lower_rate('discriminator')}"


class DiscriminatorFooled(Standstill):
    """D tells nothing apart from the start on, or takes generated samples for real, while they are far from it."""

    name, title = "discriminator_fooled", "the discriminator learns nothing"
    patience, warm_up = 5, 0.15
    best = 0.0

    def look(self, step: int, numbers: Mapping[str, float]) -> str | None:
        accuracy = by_player(numbers, "accuracy")
        if not accuracy:
            return None
        now = max(accuracy.values())
        self.best = max(self.best, now)
        far = self.stuck_at
        if far is None:
            return ""
        if now < LOW:
            return f"it is right about {percent(now)} of samples only: guessing would be right about half"
        if self.best < FOOLED:
            return (
                f"it was never right about more than {percent(self.best)} of samples, though generated ones are far "
                f"from real ones (energy distance {far:.2g}, alike is 0)"
            )
        return ""

    def advice(self) -> str:
        if self.facts.penalties:
            name = next(iter(self.facts.penalties))
            return f"weaken the penalty that keeps it flat: {self.facts.lighter(name)}"
        key = "optimizer.discriminator.lr"
        rate = self.facts.rates.get(key)
        if rate:
            return f"let it learn faster: {key}={4 * rate:.2g}"
        return f"let it play more turns: loss.n_critic={(self.facts.n_critic or 1) + 1}"


class PenaltyDwarfs(Lasting):
    """A penalty is so much larger than the loss beside it that D learns the penalty alone."""

    name, title = "penalty_dwarfs", "a penalty dwarfs the loss"
    patience, warm_up = 5, 0.1
    penalty = ""

    def look(self, step: int, numbers: Mapping[str, float]) -> str | None:
        said = None
        for tag, value in numbers.items():
            start, _, term = tag.rpartition("/")
            if not start.startswith("loss/") or term not in self.facts.penalties:
                continue
            said = said or ""
            adversarial = abs(numbers.get(f"{start}/adversarial", math.nan))
            value /= self.facts.penalties[term]
            if value > DWARFS * max(adversarial, 0.1):
                self.penalty = term
                player = start.removeprefix("loss/")
                said = f"{term} costs {player} {value:.3g} beside an adversarial loss of {adversarial:.3g}"
        return said

    def advice(self) -> str:
        return f"weaken it: {self.facts.lighter(self.penalty)}"


class Oscillates(Lasting):
    """The players chase each other: D is right about nearly all samples, then about few, again and again."""

    name, title = "oscillates", "the players chase each other in circles"
    patience, warm_up = 1, 0.2

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts)
        self._lines: deque[float] = deque(maxlen=WINDOW)

    def look(self, step: int, numbers: Mapping[str, float]) -> str | None:
        accuracy = by_player(numbers, "accuracy")
        if not accuracy:
            return None
        self._lines.append(sum(accuracy.values()) / len(accuracy))
        sides = [value > HIGH for value in self._lines if value > HIGH or value < LOW]
        swings = sum(a != b for a, b in pairwise(sides))
        if swings < SWINGS:
            return ""
        low, high = percent(min(self._lines)), percent(max(self._lines))
        return f"the discriminator's accuracy swung {swings} times between {low} and {high} in {len(self._lines)} lines"

    def advice(self) -> str:
        if not self.facts.penalties:
            return "damp it with a gradient penalty: loss=r1"
        return f"take smaller steps: {self.facts.lower_rate('generator')} {self.facts.lower_rate('discriminator')}"
