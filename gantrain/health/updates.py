"""Whether players learn at all, in steps of a sensible size."""

from __future__ import annotations

import math
from collections.abc import Mapping

from gantrain.health.facts import Facts
from gantrain.health.findings import Lasting, by_player, percent

LARGE_LOGITS = 30.0
"""Beyond it a sigmoid is 0 or 1 to the last digit of float32's gradients; no target or margin lies there either."""
LARGE_WEIGHTS = 1.5
"""Root mean square of a network's parameters: usual ones start below 0.5."""
GROWN, NO_LONGER_SMALL = 6.0, 0.3
"""So many times as large as at the start, and this large in the mean, no parameters of a healthy run become: they
doubled at most."""
LARGE_UPDATE = 0.3
"""Of a step, in norms of the parameters: the network is another one after three."""


class NotFinite(Lasting):
    """A loss or a gradient is no number. In a run that skips such turns, or goes back, it is not an alarm."""

    name, title, severity, patience = "not_finite", "numbers have left the range of floats", "failure", 1
    sees_all = True

    def look(self, step: int, numbers: Mapping[str, float]) -> str | None:
        watched = {tag: v for tag, v in numbers.items() if tag.startswith(("loss/", "grad_norm/"))}
        if not watched or self.facts.steers:
            return None
        broken = [tag for tag, value in watched.items() if not math.isfinite(value)]
        return f"{broken[0]} is no finite number" if broken else ""

    def advice(self) -> str:
        return f"start anew with lower rates, such as {self.facts.lower_rate('discriminator', 3)}"


class NoUpdates(Lasting):
    """A player's parameters stay as they are."""

    name, title, severity = "no_updates", "a player does not learn", "failure"
    player = ""

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts)
        self._highest: dict[str, float] = {}

    def look(self, step: int, numbers: Mapping[str, float]) -> str | None:
        sizes = by_player(numbers, "health/update")
        for player in sizes:
            self._highest[player] = max(self._highest.get(player, 0.0), self.latest.get(f"lr/{player}", 0.0))
        still = [player for player, size in sizes.items() if size == 0 and not self._ends(player)]
        if not still:
            return "" if sizes else None
        self.player = still[0]
        why = "its learning rate is 0" if self.latest.get(f"lr/{self.player}") == 0 else "its updates change nothing"
        return f"the parameters of {self.player} stay as they are: {why}"

    def _ends(self, player: str) -> bool:
        """Whether a schedule has brought the rate down to nothing: then no update is what was asked for."""
        return self.latest.get(f"lr/{player}", 0.0) < 0.01 * self._highest[player]

    def advice(self) -> str:
        if self.latest.get(f"lr/{self.player}") == 0:
            return f"give it a learning rate: optimizer.{self.player}.lr=2e-4"
        return f"see whether its loss reaches it, and set optimizer.{self.player}.lr=2e-4 with optimizer=adam"


class RunsAway(Lasting):
    """Logits, weights or updates grow far beyond what any loss asks for: the learning rate is too high."""

    name, title = "runs_away", "the learning rate is too high"
    patience, warm_up = 4, 0.05
    player = "discriminator"

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts)
        self._start: dict[str, float] = {}

    def look(self, step: int, numbers: Mapping[str, float]) -> str | None:
        updates, weights = (by_player(numbers, f"health/{what}") for what in ("update", "weights"))
        if not updates:
            self._start |= weights  # before the first step
            return None
        for player, size in updates.items():
            if size > LARGE_UPDATE:
                return self._of(
                    player, f"each update moves the parameters of {player} by {percent(size)} of their norm"
                )
        for player, size in weights.items():
            start = self._start.setdefault(player, size)
            if size > LARGE_WEIGHTS or size > max(GROWN * start, NO_LONGER_SMALL):
                return self._of(
                    player, f"the parameters of {player} have grown from {start:.2g} to {size:.2g} in the mean"
                )
        for tag, value in numbers.items() if self.facts.kind in ("probability", "margin") else ():
            if tag.startswith("logits/") and abs(value) > LARGE_LOGITS:
                player, kind = tag.split("/")[1:]
                return self._of(player, f"{player} gives {kind} samples logits of {value:.3g}; below 10 is usual")
        return ""

    def _of(self, player: str, evidence: str) -> str:
        self.player = player
        return evidence

    def advice(self) -> str:
        return f"lower it: {self.facts.lower_rate(self.player, 10)}"
