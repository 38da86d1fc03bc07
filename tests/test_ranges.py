"""Constructors refuse numbers that mean nothing, each in one sentence that begins with the setting's name."""

from __future__ import annotations

import math
from typing import Any

import pytest

from gantrain import data, losses, metrics, networks, schedules, tricks
from gantrain.ranges import COUNT, FINITE, NOT_NEGATIVE, POSITIVE, within

NAN, INF, HUGE = math.nan, math.inf, 10**23
FEATURE_METRICS = (metrics.PrecisionRecall, metrics.Diversity, metrics.Vendi, metrics.ClassBalance, metrics.Memorised)
FEATURE_METRICS += (metrics.Downstream, metrics.LinearProbe)
RANGES: list[tuple[Any, dict[str, Any], str, list[Any]]] = [
    (losses.NonSaturating, {}, "real_label", [-0.1, 1.1, NAN]),
    (losses.LeastSquares, {}, "b", [NAN, INF]),
    *((kind, {}, "weight", [-1, -1e-9, NAN, INF]) for kind in (losses.GradientPenalty, losses.R1, losses.R2)),
    (losses.Dragan, {}, "every", [0, -1, HUGE]),
    (losses.Dragan, {}, "target", [-1, NAN]),
    (losses.Objective, {"adversarial": losses.Hinge()}, "n_critic", [0, HUGE]),
    (tricks.ADA, {}, "target", [-2, NAN]),
    (tricks.Consistency, {}, "std", [-1, NAN, INF]),
    (tricks.EarlyStopping, {}, "threshold", [NAN, INF]),
    (tricks.EMA, {}, "half_life", [0, -1, NAN, INF]),
    (tricks.EMA, {}, "ramp_up", [0, NAN]),
    (tricks.ExperienceReplay, {}, "size", [0, HUGE]),
    (tricks.FeatureMatching, {}, "weight", [0, -1, NAN]),
    (tricks.GradientClipping, {}, "max_norm", [0, NAN, INF]),
    (tricks.HistoricalAveraging, {}, "weight", [-1, NAN]),
    (tricks.InstanceNoise, {}, "std", [-1, NAN, INF]),
    (tricks.LabelSmoothing, {}, "real", [-3, 0, 7, NAN]),
    (tricks.LeCam, {}, "start", [-5, HUGE]),
    (tricks.LeCam, {}, "decay", [-0.1, 1, NAN]),
    (tricks.MinibatchDiscrimination, {}, "num_kernels", [0, -1, HUGE]),
    (tricks.MinibatchDiscrimination, {}, "kernel_dim", [0, -1, HUGE]),
    (tricks.MinibatchStddev, {}, "group_size", [0, 1, HUGE]),
    (tricks.ModeSeeking, {}, "weight", [-1, NAN]),
    (tricks.Orthogonal, {}, "weight", [-1, NAN]),
    (tricks.Packing, {}, "m", [0, 1, HUGE]),
    (tricks.Reconstruction, {"shape": [1, 8, 8]}, "weight", [0, -1, NAN]),
    (tricks.Reconstruction, {"shape": [1, 8, 8]}, "width", [0, -1, HUGE]),
    (tricks.TopK, {}, "floor", [0, 1.1, NAN]),
    (tricks.Unrolled, {}, "lr", [0, NAN, INF]),
    (tricks.VirtualBatchNorm, {}, "size", [0, 1, HUGE]),
    (tricks.WeightClipping, {}, "limit", [0, NAN]),
    (tricks.WeightRegularisation, {}, "l1", [{"generator": -1}, {"generator": NAN}]),
    (networks.Noise, {}, "dim", [0, -1, HUGE]),
    (networks.Noise, {"dim": 1, "kind": "stratified"}, "range", [0, NAN, INF]),
    (networks.MLPGenerator, {"shape": [2], "noise_dim": 2}, "hidden", [[0], [4, -1], [HUGE]]),
    (networks.MLPGenerator, {"noise_dim": 2, "hidden": [4]}, "shape", [[0], [-1], [HUGE], [], [2, 2, 2, 2], [1, 0, 4]]),
    (networks.MLPDiscriminator, {"shape": [2], "hidden": [4]}, "dropout", [-0.1, 1, 7, NAN]),
    (networks.MLPDiscriminator, {"shape": [2], "hidden": [4]}, "init_std", [-1, NAN, INF]),
    (networks.DCGANGenerator, {"shape": [1, 8, 8], "noise_dim": 2}, "width", [0, -1, HUGE]),
    (networks.DCGANDiscriminator, {"shape": [1, 8, 8]}, "width", [0, -1, HUGE]),
    (networks.DCGANDiscriminator, {"shape": [1, 8, 8], "width": 2}, "dropout", [-0.1, 1, NAN]),
    (networks.ResNetGenerator, {"shape": [1, 16, 16], "noise_dim": 2}, "width", [0, -1, HUGE]),
    (networks.ResNetDiscriminator, {"shape": [1, 16, 16]}, "width", [0, -1, HUGE]),
    (networks.FastGANGenerator, {"shape": [1, 16, 16], "noise_dim": 2}, "width", [0, -1, HUGE]),
    (networks.FastGANDiscriminator, {"shape": [1, 16, 16]}, "width", [0, -1, HUGE]),
    (networks.PooledDiscriminator, {"shape": [1, 16, 16]}, "width", [0, -1, HUGE]),
    (data.Gaussian1d, {}, "std", [0, -1, NAN, INF]),
    (data.Gaussian1d, {}, "mean", [NAN, INF]),
    (data.Ring, {}, "modes", [0, -1, HUGE]),
    (data.Ring, {}, "std", [0, -1, NAN, INF]),
    (data.Grid, {}, "side", [0, -1, HUGE]),
    (data.Digits, {}, "image_size", [0, 7, HUGE]),
    (data.Digits, {}, "held_out", [-1, 1797, HUGE]),
    (data.CelebA, {}, "image_size", [0, -1, HUGE]),
    (data.ImageFolder, {"path": "."}, "image_size", [0, -1, HUGE]),
    (data.Array, {"path": "x.csv"}, "dim", [0, -1, HUGE]),
    (data.Augment, {}, "crop", [-1, HUGE]),
    (data.Augment, {}, "rotate", [-1, 181, NAN]),
    (metrics.Wasserstein1, {}, "samples", [0, 1, HUGE]),
    (metrics.Modes, {}, "samples", [0, HUGE]),
    (metrics.StackedModes, {}, "samples", [0, HUGE]),
    *((kind, {"space": metrics.Pixels()}, "samples", [0, 1, HUGE]) for kind in FEATURE_METRICS),
    (metrics.DensityCoverage, {"space": metrics.Pixels()}, "k", [0, -1, HUGE]),
    (metrics.SpectrumError, {}, "samples", [0, HUGE]),
    (metrics.Parzen, {}, "real", [0, 1, HUGE]),
    (schedules.Exponential, {}, "rate", [0, 1.1, NAN]),
    (schedules.Linear, {}, "part", [0, 1.1, NAN]),
    (schedules.Cosine, {}, "floor", [-0.1, 1.1, NAN]),
]


@pytest.mark.parametrize(
    ("kind", "others", "setting", "value"),
    [
        pytest.param(kind, others, setting, value, id=f"{kind.__name__}.{setting}={value}")
        for kind, others, setting, values in RANGES
        for value in values
    ],
)
def test_a_number_that_means_nothing_is_refused(kind: Any, others: dict[str, Any], setting: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"\A{setting}\b.* must be .*\Z|\A{setting}\b.*too far"):
        kind(**{**others, setting: value})


def test_the_ends_of_a_range_belong_to_it_or_not() -> None:
    within("[0, 1)", a=0, b=0.999, c=None, d=[0, [0.5]], e={"f": 0})
    within(COUNT, a=1, b=2**63 - 1)
    within(FINITE, a=-3e38, b=3e38)
    within(NOT_NEGATIVE, a=0)
    for interval, value in (("[0, 1)", 1), ("(0, 1]", 0), (POSITIVE, 0), (COUNT, 2**63), (FINITE, 4e38), (FINITE, NAN)):
        with pytest.raises(ValueError, match=r"\Aa "):
            within(interval, a=value)
    with pytest.raises(ValueError, match=r"\Aa\[1\]\.b must be 0 or more, got -2\Z"):
        within(NOT_NEGATIVE, a=[1, {"b": -2}])
