"""A small classifier of MNIST's digits, trained once and kept in the cache."""

from __future__ import annotations

import os
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gantrain.data import Mnist, Place
from gantrain.seeding import mix, seed_default

STEPS, BATCH = 2000, 100
"""Two thousand turns of a hundred: three passes over the set, under a minute on two cores."""


def network() -> nn.Module:
    """Images (N, 1, 28, 28) in [-1, 1] to logits (N, 10)."""
    return nn.Sequential(
        *(nn.Conv2d(1, 16, 5, 2, 2), nn.ReLU(), nn.BatchNorm2d(16)),
        *(nn.Conv2d(16, 32, 5, 2, 2), nn.ReLU(), nn.BatchNorm2d(32)),
        *(nn.Flatten(), nn.Linear(32 * 49, 128), nn.ReLU(), nn.Dropout(0.3), nn.Linear(128, 10)),
    )


def digit_classifier(place: Place) -> Callable[[Tensor], Tensor]:
    """Images (N, 1, 28, 28) in [-1, 1] to the digit (N,) int64; trained on first use."""
    seed_default(mix(0, 1), torch.device("cpu"))
    model = network()
    file = place.cache / f"digit-classifier-{STEPS}x{BATCH}.pt"
    if file.is_file():
        model.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
    else:
        place.say("metrics: training a classifier of digits, once")
        _train(model, place)
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(f".{os.getpid()}")
        torch.save(model.state_dict(), partial)
        partial.replace(file)
    model.eval().to(place.device)

    @torch.no_grad()
    def name(x: Tensor) -> Tensor:
        return torch.cat([model(part.to(place.device)).argmax(1).cpu() for part in x.split(1000)])

    return name


def _train(model: nn.Module, place: Place) -> None:
    model.train().to(place.device)
    batches = Mnist().open(Place(place.data_dir, place.device, cache=place.cache, say=place.say))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, STEPS)
    for step in range(STEPS):
        batch = batches.draw(step * BATCH, BATCH)
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(model(batch["real"]), batch["label"]).backward()
        optimizer.step()
        schedule.step()
    model.cpu()
