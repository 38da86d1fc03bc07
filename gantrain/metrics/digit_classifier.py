"""A small classifier of MNIST's digits, trained once and kept in the cache."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gantrain.data import DataContext, Mnist
from gantrain.seeding import Purpose, mix, seed_default

STEPS, BATCH, PEAK = 2000, 100, 3e-3
"""Two thousand turns of a hundred, three passes over the set, under a minute on two cores; the highest rate."""

DigitClassifier = Callable[[Tensor], Tensor]
"""Images (N, 1, 28, 28) in [-1, 1] to the digit (N,) int64, on the CPU."""


def network() -> nn.Module:
    """Images (N, 1, 28, 28) in [-1, 1] to logits (N, 10)."""
    return nn.Sequential(
        *(nn.Conv2d(1, 16, 5, 2, 2), nn.ReLU(), nn.BatchNorm2d(16)),
        *(nn.Conv2d(16, 32, 5, 2, 2), nn.ReLU(), nn.BatchNorm2d(32)),
        *(nn.Flatten(), nn.Linear(32 * 49, 128), nn.ReLU(), nn.Dropout(0.3), nn.Linear(128, 10)),
    )


def digit_classifier(context: DataContext) -> DigitClassifier:
    """The classifier; trained on first use.

    It is kept under a hash of its layers, how it was trained and on what, and takes the place of a former one.
    """
    seed_default(mix(0, Purpose.DIGIT_CLASSIFIER), torch.device("cpu"))
    model = network()
    digits, context = Mnist(), replace(context, seed=0, limit=None)
    file = context.cache / f"digit-classifier-{_key(model, digits.fields(replace(context, say=lambda text: None)))}.pt"
    if file.is_file():
        model.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
    else:
        context.say("metrics: training a classifier of digits, once")
        _train(model, digits, context)
        partial = file.with_suffix(f".{os.getpid()}")
        torch.save(model.state_dict(), partial)
        partial.replace(file)
        for former in context.cache.glob("digit-classifier-*.pt"):
            if former != file and re.fullmatch(r"digit-classifier-([0-9a-f]{16}|\d+x\d+)\.pt", former.name):
                former.unlink(missing_ok=True)
    model.eval().to(context.device)

    @torch.no_grad()
    def classify(x: Tensor) -> Tensor:
        return torch.cat([model(part.to(context.device)).argmax(1).cpu() for part in x.split(1000)])

    return classify


def _key(model: nn.Module, fields: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256(f"{model}|{STEPS}|{BATCH}|{PEAK}".encode())
    for name in sorted(fields):
        digest.update(np.ascontiguousarray(fields[name]).data)
    return digest.hexdigest()[:16]


def _train(model: nn.Module, digits: Mnist, context: DataContext) -> None:
    model.train().to(context.device)
    batches = digits.open(context)
    optimizer = torch.optim.Adam(model.parameters(), lr=PEAK)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK, STEPS)
    try:
        for step in range(STEPS):
            batch = batches.draw(step * BATCH, BATCH)
            optimizer.zero_grad(set_to_none=True)
            F.cross_entropy(model(batch["real"]), batch["label"]).backward()
            optimizer.step()
            schedule.step()
    finally:
        batches.close()
    model.cpu()
