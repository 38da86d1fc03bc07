"""Metrics by their names."""

from __future__ import annotations

import functools
from typing import Any

from omegaconf import DictConfig, OmegaConf

from gantrain.options import CONFIGS


def metric_named(name: str, metrics: DictConfig) -> dict[str, Any] | None:
    """The description of a metric by its name, or by <name>_<space> in that space; None where there is none such.

    `metrics.n` stands for the number of samples of one with a space, unless that was set for itself.

    Args:
        metrics: the config's group.
    """
    known, spaces = _plain(metrics.known), _plain(metrics.spaces)
    space = max((space for space in spaces if name.endswith(f"_{space}")), key=len, default=None)
    base = name if name in known or space is None else name.removesuffix(f"_{space}")
    described = known.get(base)
    if not isinstance(described, dict) or not isinstance(described.get("space"), dict):
        return described if base == name else None
    chosen = described if base == name else {**described, "space": spaces[space]}
    if metrics.n is None or "samples" not in chosen:
        return chosen
    standard = _standard_samples().get(base, chosen["samples"])
    return {**chosen, "samples": metrics.n} if chosen["samples"] == standard else chosen


def _plain(node: DictConfig) -> Any:
    return OmegaConf.to_container(node, resolve=True)


@functools.cache
def _standard_samples() -> dict[str, int]:
    """How many each metric generates that is known from the beginning, by its name."""
    known: Any = OmegaConf.to_container(OmegaConf.load(CONFIGS / "metrics" / "known.yaml"), resolve=False)
    return {name: described["samples"] for name, described in known["known"].items() if "samples" in described}
