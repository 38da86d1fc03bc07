"""Evaluations of given samples."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from conftest import CPU
from torch import Tensor

from gantrain.data import DataContext, Source
from gantrain.metrics import Evaluation, RealData


def real_of(source: Source, folder: Path = Path("data"), limit: int | None = None) -> RealData:
    """The data of a source, whose packs lie in the folder."""
    return RealData(source, DataContext(folder, CPU, limit=limit, cache=folder))


def evaluation_of(x: Tensor, source: Source, discriminator: Callable[[Tensor], Tensor] | None = None) -> Evaluation:
    """Of generated samples x, however many are asked for; a discriminator's logits stand for probabilities."""
    return Evaluation(real_of(source), lambda n: [x], discriminator, probability=discriminator is not None)


def classified(source: Source, folder: Path, classify: Callable[[Tensor], Tensor], at_once: int) -> Evaluation:
    """Of a classifier alone."""
    nothing = torch.zeros(1, *source.shape)
    return Evaluation(real_of(source, folder), lambda n: [nothing], classify=classify, at_once=at_once)
