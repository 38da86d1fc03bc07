"""A small classifier of a labelled data set, trained once and kept in the cache."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gantrain.data import Source, StackedMnist, to_pixels
from gantrain.data.cache import made_once
from gantrain.errors import UserError
from gantrain.files import replacing
from gantrain.kinds import Kind
from gantrain.metrics.evaluation import Part, RealData
from gantrain.seeding import Purpose, default_state, mix, restore_default, seed_default
from gantrain.untrusted import BROKEN, read_tensors

AT_ONCE = 500
SAMPLES, HELD_OUT = 50_000, 10_000
"""At most so many samples it learns from, and so many its accuracy is measured on."""
SHARE = 10
"""Where a data set has no held-out part, one in so many samples is held out from the classifier."""
BATCH, PEAK, DECAY = 100, 3e-3, 1e-2
"""Samples of a step; the highest rate of Adam and its weight decay."""
PASSES, LEAST, MOST = 6, 300, 2500
"""Over the samples, but so many steps at least, and so many at most."""
WIDTHS, SIZE, SMALLEST = (32, 64, 128, 128), 128, 4
"""Channels of convolutions that halve the side until it is the smallest or less; features."""
LARGEST = 64
"""Larger pictures are shrunk to this side."""


class Network(nn.Module):
    """Images (N, C, H, W) in [-1, 1] to features (N, SIZE), and with `head` to logits (N, K)."""

    def __init__(self, shape: Sequence[int], classes: int) -> None:
        super().__init__()
        channels, *sides = shape
        layers: list[nn.Module] = []
        for width in WIDTHS:
            if layers[1:] and max(sides) <= SMALLEST:
                break
            layers += [nn.Conv2d(channels, width, 5 if not layers else 3, 2, 2 if not layers else 1)]
            layers += [nn.BatchNorm2d(width), nn.ReLU()]
            channels, sides = width, [-(-side // 2) for side in sides]
        self.trunk = nn.Sequential(
            *layers, nn.Flatten(), nn.Linear(channels * math.prod(sides), SIZE), nn.BatchNorm1d(SIZE), nn.ReLU()
        )
        self.dropout, self.head = nn.Dropout(0.3), nn.Linear(SIZE, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.dropout(self.trunk(x)))


@dataclass(frozen=True)
class Classifier:
    """A trained network on its device, and its accuracy on samples that it has not learnt from."""

    network: Network
    accuracy: float

    def __str__(self) -> str:
        digest = hashlib.sha256()
        for weights in self.network.state_dict().values():
            digest.update(weights.cpu().contiguous().numpy().data)
        return f"classifier, held-out accuracy {self.accuracy:.4f}, weights {digest.hexdigest()[:8]}"

    @torch.no_grad()
    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Features (n, SIZE) and logits (n, K), on the CPU, of pixels uint8 or of images in [-1, 1] (n, C, H, W)."""
        parts = [self._of(part.to(next(self.network.parameters()).device)) for part in x.split(AT_ONCE)]
        return torch.cat([features for features, _ in parts]), torch.cat([logits for _, logits in parts])

    def _of(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.network.trunk(shrunk(x))
        return features.cpu(), self.network.head(features).cpu()


def shrunk(x: Tensor) -> Tensor:
    """Images in [-1, 1] whose longer side is `LARGEST` at most: each pixel the mean of those that it stands for."""
    x = x / 127.5 - 1 if x.dtype == torch.uint8 else x.float()
    longest = max(x.shape[2:])
    if longest <= LARGEST:
        return x
    return F.interpolate(x, [max(1, round(side * LARGEST / longest)) for side in x.shape[2:]], mode="area")


def check_labelled(source: Source) -> None:
    """Before any data is read.

    Raises:
        ValueError: there are no labelled pictures of a fixed number to learn from.
    """
    kind = Kind.of(source.shape)
    if kind is not Kind.PICTURES:
        other = "spectrogram" if kind is Kind.SOUND else "pixels"
        raise ValueError(f"the space classifier is of pictures, but samples are {kind.value}: measure in {other}")
    if (source.classes or 0) < 2:
        raise ValueError(
            "the space classifier needs a dataset with labels of two classes or more (for image_folder, a sub-folder "
            "each): measure in inception or in pixels"
        )
    if isinstance(source, StackedMnist):
        raise ValueError("the space classifier has no place for dataset=stacked_mnist: use the metric stacked_modes")


def classifier_of(real: RealData) -> Classifier:
    """The classifier of a data set; trained on first use, and kept under a hash of its layers, training and samples.

    Raises:
        UserError: the data cannot be read, or has too few samples.
    """
    if real.context.limit is None:
        return _classifier_of(real)
    with contextlib.closing(RealData(real.source, replace(real.context, limit=None))) as whole:
        return _classifier_of(whole)  # few samples to train on are no reason for a bad judge


def _classifier_of(real: RealData) -> Classifier:
    context, classes = real.context, real.source.classes
    assert classes is not None, "data without labels was refused"
    state = default_state(context.device)
    try:
        learnt, held = _samples(real)
        seed_default(mix(0, Purpose.CLASSIFIER), context.device)
        network = Network(shrunk(learnt[0][:1]).shape[1:], classes)
        file = context.cache / f"classifier-{_key(network, learnt, held)}.pt"
        found = _read(file, network)
        if found is None:
            with made_once(context.cache, file.stem, context.say):
                found = _read(file, network) or _trained(network, learnt, held, file, real)
    finally:
        restore_default(state, context.device)
    return Classifier(network.to(context.device).eval().requires_grad_(False), found)


def _trained(
    network: Network, learnt: tuple[Tensor, Tensor], held: tuple[Tensor, Tensor], file: Path, real: RealData
) -> float:
    """Trains the network, keeps it in the file, and returns its accuracy on what was held out."""
    context = real.context
    context.say(f"metrics: training a classifier of {type(real.source).__name__}'s {real.source.classes} classes, once")
    _train(network.to(context.device), *(values.to(context.device) for values in learnt))
    accuracy = _accuracy(network, *held)
    context.say(f"metrics: it names {accuracy:.1%} of {len(held[0]):,} held-out samples right")
    _write(file, network, accuracy)
    return _read(file, network) or accuracy  # as it is read again: rounded


def _samples(real: RealData) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """What is learnt from and what is held out: pixels uint8 and labels of each, on the CPU."""
    if real.source.held_out_part() is not None:
        return _drawn(real, "train", 0, SAMPLES), _drawn(real, "held_out", 0, HELD_OUT)
    count = min(real.count("train") // SHARE, HELD_OUT)
    if not count:
        raise UserError(f"the space classifier needs {SHARE} labelled samples or more: measure in inception or pixels")
    return _drawn(real, "train", count, SAMPLES), _drawn(real, "train", 0, count)


def _drawn(real: RealData, part: Part, start: int, most: int) -> tuple[Tensor, Tensor]:
    batches = list(real.batches(part, min(real.count(part) - start, most), start=start))
    pixels = torch.cat([to_pixels(batch["real"]).cpu() for batch in batches])
    return pixels, torch.cat([batch["label"].cpu() for batch in batches])


def _key(network: Network, *samples: tuple[Tensor, Tensor]) -> str:
    digest = hashlib.sha256(f"{network}|{(BATCH, PEAK, DECAY, PASSES, LEAST, MOST, LARGEST)}".encode())
    for pixels, labels in samples:
        digest.update(pixels.numpy().data)
        digest.update(labels.numpy().data)
    return digest.hexdigest()[:16]


def _train(network: Network, pixels: Tensor, labels: Tensor) -> None:
    """One cycle of Adam; the samples come in the order of a generator of its own."""
    network.train().to(memory_format=torch.channels_last)
    steps = min(max(PASSES * len(pixels) // BATCH, LEAST), MOST)
    optimizer = torch.optim.AdamW(network.parameters(), lr=PEAK, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK, steps)
    order = torch.Generator().manual_seed(mix(0, Purpose.CLASSIFIER))
    left = torch.empty(0, dtype=torch.int64)
    for _ in range(steps):
        while len(left) < BATCH:
            left = torch.cat([left, torch.randperm(len(pixels), generator=order)])
        chosen, left = left[:BATCH].to(pixels.device), left[BATCH:]
        optimizer.zero_grad(set_to_none=True)
        x = shrunk(pixels[chosen]).contiguous(memory_format=torch.channels_last)
        F.cross_entropy(network(x), labels[chosen]).backward()
        optimizer.step()
        schedule.step()
    network.eval().to(memory_format=torch.contiguous_format)


def _accuracy(network: Network, pixels: Tensor, labels: Tensor) -> float:
    _, logits = Classifier(network, 0.0)(pixels)
    return (logits.argmax(1) == labels).double().mean().item()


def _read(file: Path, network: Network) -> float | None:
    """Puts the weights of a file into the network and gives their accuracy; None where there are none."""
    try:
        with file.open("rb") as stream:
            held = read_tensors(stream)
        whole = copy.deepcopy(network)  # a damaged file must not leave half of it in the network
        whole.load_state_dict(held["weights"])
        accuracy = float(held["accuracy"])
    except (*BROKEN, OSError):
        return None
    network.load_state_dict(whole.state_dict())
    return accuracy


def _write(file: Path, network: Network, accuracy: float) -> None:
    """Puts them where `_read` finds them, unless some are there; without a place to write they serve this run alone."""
    if file.is_file() and _read(file, copy.deepcopy(network).cpu()) is not None:
        return
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as stream:
            torch.save({"weights": network.state_dict(), "accuracy": accuracy}, stream)
