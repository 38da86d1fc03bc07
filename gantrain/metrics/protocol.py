"""Under what conditions a figure was measured: figures of unlike protocols are not ranked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Protocol:
    """What a figure depends on besides the model; plain values, so that it can stand in a file beside the figure."""

    metric: str
    """The name of the metric's class."""
    data: str
    """The data set, with the shape of a sample."""
    averaged: bool
    """Samples of the averaged generator (EMA)."""
    samples: int | None = None
    """How many generated samples were judged."""
    real: int | None = None
    """How many real ones they were set against; None where there is no end to them, or none is needed."""
    split: str | None = None
    """Which real ones: train or held_out."""
    space: str | None = None
    """The feature space, with what tells its network from others of the name, such as a checksum or an accuracy."""
    resize: str | None = None
    """How pictures are resized and scaled for it."""
    better: str | None = None
    """Which way the figure is better: higher or lower."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The metric's own settings, such as the number of neighbours."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Of the packages that had a part in it."""
    conditional: bool | None = None
    """Samples are made of labels or of data; None where they are of noise alone, which is another task."""

    def __str__(self) -> str:
        judged = f"{self.samples:,} samples" if self.samples else "samples"
        against = f" against {self.real:,} real ones" if self.real else " against real ones" if self.split else ""
        parts = [
            judged + (" of the averaged generator" if self.averaged else " of the generator as it is") + against,
            f"{self.split} part of {self.data}" if self.split else self.data,
            f"features: {self.space}" if self.space else "",
            f"pictures: {self.resize}" if self.resize else "",
            "made of labels or data" if self.conditional else "",
            ", ".join(f"{name} {value}" for name, value in self.settings.items()),
        ]
        return "; ".join(filter(None, parts))

    def to_dict(self) -> dict[str, Any]:
        """Its facts that are known, as plain values."""
        return {name: value for name, value in asdict(self).items() if value not in (None, {})}
