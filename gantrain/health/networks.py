"""Whether networks are alive, and their averages near them."""

from __future__ import annotations

from collections.abc import Mapping

from gantrain.health.findings import Lasting, by_player, percent

DEAD = 0.95
"""Share of a layer's units that are the same for every sample; healthy ReLU layers stay below 0.7."""
FLAT = 1e-3
"""Standard deviation of a discriminator's logits; 0.1 and more in healthy runs on digits."""
APART = 0.4
"""Norm of what parts averaged from live parameters, over theirs; healthy runs stay below 0.15."""


class DeadUnits(Lasting):
    """A layer passes nothing of its input on."""

    name, title, severity = "dead_units", "a layer of a network is dead", "failure"
    player = ""

    def look(self, step: int, numbers: Mapping[str, float]) -> str | None:
        shares = by_player(numbers, "health/dead_units")
        if not shares:
            return None
        self.player = max(shares, key=lambda name: shares[name])
        share = shares[self.player]
        return "" if share < DEAD else f"{percent(share)} of a layer of {self.player} are the same for every sample"

    def advice(self) -> str:
        if self.player.startswith("generator") and "activation" in self.facts.settings:
            return "take units that do not die: model.generator.activation=leaky_relu"
        return f"start anew with a lower rate: {self.facts.lower_rate(self.player)}"


class DiscriminatorFlat(Lasting):
    """D gives all samples the same logit, real or not, so that the generator is told nothing.

    Of pictures alone, on which nothing ever becomes so good that D can but guess, as it does at the end on toys; and
    not of critics (Wasserstein), whose logits have no scale.
    """

    name, title, severity = "discriminator_flat", "the discriminator says the same of every sample", "failure"
    patience, warm_up = 5, 0.05
    player = ""

    def look(self, step: int, numbers: Mapping[str, float]) -> str | None:
        spreads = by_player(numbers, "health/logit_spread")
        if not spreads or not self.facts.pictures or self.facts.kind == "critic":
            return None
        self.player = min(spreads, key=lambda name: spreads[name])
        spread = spreads[self.player]
        return "" if spread > FLAT else f"the logits of {self.player} differ by {spread:.1g} only"

    def advice(self) -> str:
        return f"start anew with a lower rate: {self.facts.lower_rate(self.player)}"


class AverageFar(Lasting):
    """Samples are made by averaged parameters, and these lag far behind those that are trained."""

    name, title = "average_far", "the averaged network lags far behind the live one"
    warm_up = 0.2
    player = ""

    def look(self, step: int, numbers: Mapping[str, float]) -> str | None:
        distances = by_player(numbers, "health/average_distance")
        if not distances:
            return None
        self.player = max(distances, key=lambda name: distances[name])
        apart = distances[self.player]
        return "" if apart < APART else f"the averages of {self.player} are {percent(apart)} of its norm away from it"

    def advice(self) -> str:
        return "shorten the average's memory: tricks.ema.half_life=50000 tricks.ema.ramp_up=0.05"
