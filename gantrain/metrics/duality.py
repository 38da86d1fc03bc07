"""The duality gap of a game."""

from __future__ import annotations

import math
from dataclasses import replace

from gantrain.errors import UserError
from gantrain.metrics.base import Metric
from gantrain.metrics.evaluation import Evaluation, Part, RealData
from gantrain.metrics.protocol import Protocol
from gantrain.ranges import COUNT, NOT_NEGATIVE, POSITIVE, within


class DualityGap(Metric):
    """How much the players could still gain over each other (Grnarova et al. 2019, "A Domain Agnostic Measure for
    Monitoring and Evaluating GANs").

    With V the value of the game, minus what the discriminator minimises:

    - `duality_gap_m1`, M1 = max V(G, D'), once a copy D' of the discriminator has learnt on against G as it is: how
      well generated samples can be told from real ones. The lower, the better G.
    - `duality_gap_m2`, M2 = min V(G', D), once a copy G' of the generator has learnt on against D as it is: how far D
      can be fooled. The higher, the better D.
    - `duality_gap`, M1 - M2: 0 where neither can gain, an equilibrium; it stays up or rises where a run cycles,
      diverges or has collapsed.

    The copies learn from training data; V is taken on held-out samples where there are some. Live players are copied,
    never their averages. Where a run rests at a point from which neither finds a way, though it is no equilibrium, the
    gap misleads: `perturb` puts noise on the weights from which each copy starts (Sidheekh et al. 2021, "On Duality Gap
    as a Measure for Monitoring GAN Training"), and the figures are then called `duality_gap_perturbed…`.

    Args:
        turns: of each copy.
        samples: real and as many generated ones, on which the value is taken, in whole batches; fewer where there are
            fewer. NaN where these are no whole pack.
        lr: of the copies' Adam.
        perturb: standard deviation of the noise on each weight; in the authors' code 0.25 on points, 0.1 on pictures.
    """

    needs_value = True
    streams = True

    def __init__(self, turns: int = 50, samples: int = 1000, lr: float = 2e-4, perturb: float = 0.0) -> None:
        within(COUNT, turns=turns)
        within("[2, 100000000]", samples=samples)
        within(POSITIVE, lr=lr)
        within(NOT_NEGATIVE, perturb=perturb)
        self.turns, self.n, self.lr, self.perturb = turns, samples, lr, perturb
        self.name = "duality_gap_perturbed" if perturb else "duality_gap"
        self.keys = (self.name, f"{self.name}_m1", f"{self.name}_m2")
        self.higher_is_better = frozenset({f"{self.name}_m2"})

    def prepare(self, real: RealData) -> None:
        size = real.open(self._part(real)).size
        if size is not None and size < 2:
            raise UserError(f"metric {self.name} needs 2 or more samples of the {self._part(real)} part: leave it out")

    def __call__(self, evaluation: Evaluation) -> dict[str, float]:
        assert evaluation.best_answers is not None, "the game was asked whether it has a value"
        real = evaluation.real
        part, n = self._part(real), self._samples(evaluation)
        if not n:
            return dict.fromkeys(self.keys, math.nan)
        found = evaluation.best_answers(self.turns, self.lr, self.perturb, lambda size: real.batches(part, n, size))
        largest, least = found
        return dict(zip(self.keys, (largest - least, largest, least), strict=True))

    def protocol(self, evaluation: Evaluation) -> Protocol:
        n, split = self._samples(evaluation), self._part(evaluation.real)
        settings = {"turns": self.turns, "lr": self.lr, "perturb": self.perturb}
        whole = self.protocol_of(evaluation, samples=n, real=n, split=split, settings=settings)
        return replace(whole, averaged=False)

    def _part(self, real: RealData) -> Part:
        """The real samples on which the value is taken."""
        return "train" if real.source.held_out_part() is None else "held_out"

    def _samples(self, evaluation: Evaluation) -> int:
        """How many in whole batches, for a small last one would count for another game; or in whole packs."""
        there = evaluation.real.open(self._part(evaluation.real)).size
        n = self.n if there is None else min(self.n, there)
        return n - n % (evaluation.at_once if n >= evaluation.at_once else evaluation.pack)
