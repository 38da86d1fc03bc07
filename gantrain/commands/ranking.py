"""Which run is best by a figure: only among figures that were measured alike."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gantrain.report.html.figures import unlike
from gantrain.report.tables import short


@dataclass(frozen=True)
class Figure:
    """A run's figure with the protocol that stands beside it, if any."""

    value: float
    protocol: Mapping[str, Any] | None


def best_of(name: str, figures: Mapping[str, Figure]) -> str | None:
    """A sentence on which run has the best figure of a name, or on why they are not ranked; None where none is better.

    Args:
        figures: by the name of the run.
    """
    finite = {run: figure for run, figure in figures.items() if math.isfinite(figure.value)}
    protocols = {run: figure.protocol for run, figure in finite.items()}
    why = unlike(protocols)
    if len(finite) < 2 or not any(protocols.values()):
        return None
    if why is not None:
        return f"{name} is not ranked: {why}"
    better = next(protocol.get("better") for protocol in protocols.values() if protocol)
    if better is None:
        return None
    best = (max if better == "higher" else min)(finite, key=lambda run: finite[run].value)
    return f"best {name}: {best}, {short(float(finite[best].value))}"
