"""Digits in two looks, for games of two domains; no digit is in both."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gantrain.data.augment import Augment
from gantrain.data.digits import Digits
from gantrain.data.domains import TwoDomains
from gantrain.data.source import LABELLED, DataContext, PackedSource
from gantrain.data.vision import Mnist
from gantrain.ranges import within

Look = Literal["digits", "dark", "coloured", "negative", "edges"]
Domains = Literal["coloured", "negative", "edges"]
LOOKS: dict[Domains, tuple[Look, Look]] = {
    "coloured": ("dark", "coloured"),
    "negative": ("digits", "negative"),
    "edges": ("digits", "edges"),
}
"""Of both domains."""
GROUND = (24, 32, 96)
"""The colour behind coloured digits: a deep blue."""


def rendered(grey: Tensor, look: Look) -> Tensor:
    """Light digits on black uint8 (N, 1, H, W) in another look, uint8 (N, C, H, W).

    `dark` on white, in colour channels; `coloured` on deep blue, each in a colour of its own between red and yellow;
    `negative`: white becomes black; `edges`: what dilation by a pixel adds (Liu & Tuzel 2016, section 4).
    """
    if look == "negative":
        return 255 - grey
    if look == "dark":
        return (255 - grey).repeat(1, 3, 1, 1)
    if look == "edges":
        return F.max_pool2d(grey.float(), 3, 1, 1).to(torch.uint8) - grey
    if look == "coloured":
        green = torch.randint(256, (len(grey), 1, 1), generator=torch.Generator().manual_seed(0))
        ink = torch.stack([torch.full_like(green, 255), green, torch.zeros_like(green)], 1)
        ground = torch.tensor(GROUND).view(1, 3, 1, 1)
        return (ground + (ink - ground) * (grey / 255)).round().to(torch.uint8)
    return grey


class DigitDomain(PackedSource):
    """Half of a set of digits in one look.

    Args:
        digits: the set, light on black.
        half: 0 or 1: which of the samples it takes, by chance and always the same.
        held_out: so many of them are kept from training.
        part: `train`, or `test` for those that are kept; those of a set with a held-out part of its own are all kept.
    """

    classes = 10
    suited_metrics = LABELLED

    def __init__(
        self,
        digits: PackedSource,
        look: Look,
        half: int,
        augment: Augment | None = None,
        held_out: int = 0,
        part: Literal["train", "test"] = "train",
    ) -> None:
        self.digits, self.look, self.half, self.held_out, self.part = digits, look, half, held_out, part
        self.name = f"{digits.name}_{look}"
        self.shape = [3 if look in ("dark", "coloured") else 1, *digits.shape[1:]]
        self.augment = augment and augment.fitting(self.shape)

    def held_out_part(self) -> DigitDomain | None:
        apart = self.digits.held_out_part()
        if self.part == "test" or not (apart or self.held_out):
            return None
        digits = self.digits if apart is None else apart
        assert isinstance(digits, PackedSource)
        return DigitDomain(digits, self.look, self.half, None, self.held_out, "test")

    def fields(self, context: DataContext) -> dict[str, np.ndarray]:
        whole = super().fields(context)
        if not self.held_out:
            return whole
        there = len(whole["real"]) - self.held_out
        kept = slice(there, None) if self.part == "test" else slice(there)
        return {name: values[kept] for name, values in whole.items()}

    def settings(self, data_dir: Path) -> dict[str, Any]:
        return {"of": self.digits.name, **self.digits.settings(data_dir), "look": self.look, "half": self.half}

    def fingerprint(self, data_dir: Path) -> str:
        return self.digits.fingerprint(data_dir)

    def pack(self, data_dir: Path, folder: Path, say: Callable[[str], None]) -> dict[str, np.ndarray]:
        whole = self.digits.pack(data_dir, folder, say)
        order = torch.randperm(len(whole["real"]), generator=torch.Generator().manual_seed(0)).numpy()
        mine = order[self.half :: 2]
        grey = torch.from_numpy(np.ascontiguousarray(whole["real"][mine]))
        return {"real": rendered(grey, self.look).numpy(), "label": whole["label"][mine]}


class DigitDomains(TwoDomains):
    """Two domains of one set of digits, of which each has one half.

    Args:
        domains: `coloured` dark digits on white (A) and coloured ones on deep blue (B); `negative` light digits on
            black (A) and their negatives (B); `edges` such digits (A) and the edges of digits (B).
        augment: of each domain by itself.
        other_augment: of domain A, where it is another.
    """

    suited_metrics = LABELLED

    def __init__(
        self,
        digits: PackedSource,
        domains: Domains,
        augment: Augment | None,
        other_augment: Augment | None,
        held_out: int = 0,
    ) -> None:
        self.names = LOOKS[domains]
        augments = (other_augment or augment, augment)
        a, b = (DigitDomain(digits, look, k, augments[k], held_out) for k, look in enumerate(self.names))
        self.set_domains(a, b)

    def held_out_part(self) -> DigitDomains | None:
        a, b = self.a.held_out_part(), self.b.held_out_part()
        if a is None or b is None:
            return None
        assert isinstance(a, DigitDomain)
        assert isinstance(b, DigitDomain)
        kept = copy.copy(self)
        kept.set_domains(a, b)
        return kept


class DigitsDomains(DigitDomains):
    """`DigitDomains` of the bundled digits (`Digits`); needs no files.

    Args:
        image_size: side of the square, 8 or more, or [height, width].
        held_out: so many samples of each domain are kept from training.

    Raises:
        ValueError: a smaller size, or nothing left to train on.
    """

    licence = Digits.licence

    def __init__(
        self,
        domains: Domains = "coloured",
        image_size: int | list[int] = 16,
        augment: Augment | None = None,
        other_augment: Augment | None = None,
        held_out: int = 0,
    ) -> None:
        within("[0, 898)", held_out=held_out)
        super().__init__(Digits(image_size), domains, augment, other_augment, held_out)


class MnistDomains(DigitDomains):
    """`DigitDomains` of MNIST (`Mnist`): 30,000 digits in each domain; its test digits are held out."""

    licence = Mnist.licence
    suited_samples = Mnist.suited_samples

    def __init__(
        self, domains: Domains = "edges", augment: Augment | None = None, other_augment: Augment | None = None
    ) -> None:
        super().__init__(Mnist(), domains, augment, other_augment)
