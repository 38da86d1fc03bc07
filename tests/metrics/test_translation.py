"""How far translations are from the true pictures: closed forms, and which pairs are looked at."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import torch
from evaluations import real_of
from torch import Tensor

from gantrain.data import Digits, DigitsPairs
from gantrain.metrics import Evaluation, TranslationError


def test_errors_of_known_differences(tmp_path: Path) -> None:
    source = DigitsPairs(image_size=8, held_out=10)
    asked = []

    def sets(n: int) -> Iterator[Mapping[str, Tensor]]:
        asked.append(n)
        true = torch.zeros(n, 1, 8, 8)
        made = true.clone()
        made[0] += 0.5
        made[1, 0, 0, 0] += 1.0
        yield {"samples": made[:4], "real": true[:4]}
        yield {"samples": made[4:] + 0.1, "real": true[4:]}

    evaluation = Evaluation(real_of(source, tmp_path), lambda n: [], sets=sets)
    metric = TranslationError(samples=1000)
    found = metric(evaluation)
    assert asked == [10], "all held-out pairs, and no more"
    assert found["mae"] == pytest.approx((0.5 + 1 / 64 + 6 * 0.1) / 10, rel=1e-5)
    ratios = [4 / 0.25, 4 * 64, 4e12, 4e12, *[4 / 0.01] * 6]
    assert found["psnr"] == pytest.approx(sum(10 * math.log10(ratio) for ratio in ratios) / 10, rel=1e-4)
    protocol = metric.protocol(evaluation)
    assert (protocol.samples, protocol.split) == (10, "held_out")


def test_data_without_pairs_is_refused() -> None:
    with pytest.raises(ValueError, match="metric mae needs pairs of pictures"):
        TranslationError().check(Digits())
