"""Early stopping."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from gantrain.ranges import COUNT, FINITE, within
from gantrain.tricks.base import Trick
from gantrain.tricks.interface import RunPlan


class EarlyStopping(Trick):
    """Stops when `metric` reaches `threshold`, or has not improved for `patience` evaluations.

    Whether higher or lower is better is what the metric says.

    Raises:
        ValueError: neither limit is set, or no evaluation gives that metric.
    """

    def __init__(self, metric: str | None = None, threshold: float | None = None, patience: int | None = 5) -> None:
        super().__init__()
        if threshold is None and patience is None:
            raise ValueError("set a threshold, or a patience of 1 or more")
        within(FINITE, threshold=threshold)
        within(COUNT, patience=patience)
        self.metric, self.threshold, self.patience = metric, threshold, patience
        self.higher_is_better = False
        self.best: float | None = None
        self.waited = 0

    def get_extra_state(self) -> dict[str, Any]:
        """What goes into a checkpoint: plain numbers, for a float32 tensor would round the metric's value."""
        return {"best": self.best, "waited": self.waited}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """What comes out of one."""
        self.best, self.waited = state["best"], state["waited"]

    def check(self, plan: RunPlan) -> None:
        if self.metric is None or (plan.tags is not None and self.metric not in plan.tags):
            have = f"metrics.use gives {', '.join(sorted(plan.tags))}" if plan.tags else "metrics.use names no metric"
            raise ValueError(f"early_stopping.metric is {self.metric or 'not set'}: {have}")
        if plan.evaluate_every is None:
            raise ValueError("early_stopping looks at evaluations while training: set metrics.every, such as 500")
        self.higher_is_better = self.metric in plan.higher_is_better

    def should_stop(self, metrics: Mapping[str, float]) -> str | None:
        value = metrics.get(self.metric or "", math.nan)
        sign = -1 if self.higher_is_better else 1
        if self.threshold is not None and sign * value <= sign * self.threshold:
            return f"{self.metric} is {value:.4g} and has reached {self.threshold:g}"
        if math.isfinite(value) and (self.best is None or sign * value < sign * self.best):
            self.best, self.waited = value, 0
        else:
            self.waited += 1
        if self.patience is not None and self.waited >= self.patience:
            than = "found" if self.best is None else f"better than {self.best:.4g}"
            return f"{self.metric} has not been {than} for {self.patience} evaluations"
        return None
