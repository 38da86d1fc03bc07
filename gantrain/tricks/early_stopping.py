"""Early stopping."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from gantrain.ranges import COUNT, FINITE, within
from gantrain.tricks.base import Plan, Trick


class EarlyStopping(Trick):
    """Stops when `metric` reaches `threshold`, or has not improved for `patience` evaluations.

    Whether higher or lower is better is what the metric says.

    Raises:
        ValueError: neither limit is set, or no evaluation gives that metric.
    """

    best: Tensor
    waited: Tensor

    def __init__(self, metric: str | None = None, threshold: float | None = None, patience: int | None = 5) -> None:
        super().__init__()
        if threshold is None and patience is None:
            raise ValueError("set a threshold, or a patience of 1 or more")
        within(FINITE, threshold=threshold)
        within(COUNT, patience=patience)
        self.metric, self.threshold, self.patience = metric, threshold, patience
        self.higher_is_better = False
        self.register_buffer("best", torch.tensor(math.nan, dtype=torch.float32))
        self.register_buffer("waited", torch.zeros((), dtype=torch.int64))

    def check(self, plan: Plan) -> None:
        if self.metric is None or (plan.tags is not None and self.metric not in plan.tags):
            have = f"metrics.use gives {', '.join(sorted(plan.tags))}" if plan.tags else "metrics.use names no metric"
            raise ValueError(f"early_stopping.metric is {self.metric or 'not set'}: {have}")
        if plan.evaluate_every is None:
            raise ValueError("early_stopping looks at evaluations while training: set metrics.every, such as 500")
        self.higher_is_better = self.metric in plan.higher_is_better

    def should_stop(self, metrics: Mapping[str, float]) -> str | None:
        value = float(torch.tensor(metrics.get(self.metric or "", math.nan), dtype=torch.float32))  # as `best` is kept
        sign = -1 if self.higher_is_better else 1
        if self.threshold is not None and sign * value <= sign * self.threshold:
            return f"{self.metric} is {value:.4g} and has reached {self.threshold:g}"
        if sign * value < sign * float(self.best) or (math.isnan(float(self.best)) and not math.isnan(value)):
            self.best.fill_(value)
            self.waited.zero_()
        else:
            self.waited += 1
        if self.patience is not None and int(self.waited) >= self.patience:
            return f"{self.metric} has not been better than {float(self.best):.4g} for {self.patience} evaluations"
        return None
