"""What the curves of a run look like when all is well, for its loss."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from gantrain.health.facts import Facts

Band = tuple[float, float]
LOG2, LOG4 = math.log(2), math.log(4)

D, G = "discriminator", "generator"
SLACK = 1.1
"""By so much a loss may be above the value of the equilibrium: a batch is a sample."""
ADVERSARIAL = {
    "NonSaturating": {D: (0.05, SLACK * LOG4), G: (LOG2 / SLACK, 4.5)},
    "Minimax": {D: (0.05, SLACK * LOG4), G: (-SLACK * LOG2, -0.02)},
    "Hinge": {D: (0.02, SLACK * 2.0), G: (-1.0, 2.5)},
    "LeastSquares": {D: (0.004, SLACK * 0.25), G: (0.125 / SLACK, 0.6)},
    "RelativisticPaired": {D: (0.3, SLACK * LOG2), G: (LOG2 / SLACK, 2.0)},
    "RelativisticAverage": {D: (0.05, SLACK * LOG4), G: (LOG4 / SLACK, 9.0)},
    "Wasserstein": {D: (-math.inf, 0.0)},
}
"""Of the adversarial term of each player's loss. One end is the value where real and generated samples are the same
and D knows it: log 4 and log 2 (Goodfellow et al. 2014, theorem 1, and its generator's loss at D = ½), 2·½·½² and
½·½² (Mao et al. 2017), 2 and 0 (hinge at D = 0), log 2 of pairs, 0 for a distance. The other end was measured on
healthy runs, in which D is ahead (scripts/healthy_bands.py)."""
ACCURACY: Mapping[str, Band] = {"critic": (0.45, 1.0)}
ALWAYS: Mapping[str, Band] = {
    "health/diversity": (0.6, 1.4),
    "health/energy_distance": (-0.02, 0.05),
    "health/copied": (0.0, 0.05),
    "health/missing_classes": (0.0, 0.0),
    "health/overfitting": (0.0, 0.7),
    "health/spectrum": (-4.0, 7.0),
    f"health/dead_units/{G}": (0.0, 0.7),
    f"health/dead_units/{D}": (0.0, 0.7),
    f"health/average_distance/{G}": (0.0, 0.15),
    f"health/update/{G}": (1e-9, 0.05),
    f"health/update/{D}": (1e-9, 0.05),
    f"health/weights/{G}": (0.01, 1.0),
    f"health/weights/{D}": (0.01, 1.0),
}
"""At whose ends no detector alarms; docs/health.md quotes them."""
GRADIENTS: Mapping[tuple[bool, bool], Mapping[str, Band]] = {
    (True, True): {D: (0.1, 10.0), G: (0.02, 10.0)},
    (True, False): {D: (0.5, 300.0), G: (0.1, 80.0)},
    (False, True): {D: (0.002, 5.0), G: (0.002, 5.0)},
    (False, False): {D: (0.005, 20.0), G: (0.005, 50.0)},
}
"""Of norms of gradients, for pictures or numbers, with or without a penalty; measured with batches of 32 to 512."""


def expected_bands(facts: Facts) -> dict[str, Band]:
    """By tag, between which values a number lies after the first steps of a run with which all is well.

    Player names in tags are roles; `band_of` finds that of a player such as discriminator_2. A band is no law: what is
    outside it for long is worth a look.
    """
    bands = dict(ALWAYS)
    bands[f"accuracy/{D}"] = ACCURACY.get(facts.kind, (0.4, 1.0 if facts.pictures else 0.95))
    for player, band in ADVERSARIAL.get(facts.loss, {}).items():
        bands[f"loss/{player}/adversarial"] = band
    for player, band in GRADIENTS[facts.pictures, bool(facts.penalties)].items():
        bands[f"grad_norm/{player}"] = band
    if facts.kind == "probability":
        bands |= {f"probability/{D}/real": (0.45, 1.0), f"probability/{D}/fake": (0.0, 0.55)}
        bands |= {f"logits/{D}/real": (-0.5, 8.0), f"logits/{D}/fake": (-8.0, 0.5)}
    if facts.loss == "Hinge":
        bands |= {f"logits/{D}/real": (-0.5, 3.0), f"logits/{D}/fake": (-3.0, 0.5)}
    if facts.loss == "LeastSquares":
        bands |= {f"logits/{D}/real": (0.4, 1.2), f"logits/{D}/fake": (-0.2, 0.6)}
    bands["health/missing"] = (0.0, 0.9 if facts.pictures else 0.25)
    return bands


def band_of(tag: str, bands: Mapping[str, Band]) -> Band | None:
    """The band of a tag, of that of its player's role where the player is one of several."""
    return bands.get(tag) or bands.get(re.sub(r"(discriminator|generator)_\w+", r"\1", tag))
