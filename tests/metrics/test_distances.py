"""FID, KID, MIND and the inception score: closed forms, and what torch-fidelity makes of the same features."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from evaluations import evaluation_of, real_of
from torch import Tensor

from gantrain.data import Digits, Gaussian1d, Source
from gantrain.metrics import (
    FID,
    KID,
    MIND,
    DiscriminatorFeatures,
    Evaluation,
    FeatureSpace,
    Inception,
    InceptionScore,
    Pixels,
    RealData,
    distances,
)
from gantrain.metrics.distances import SEED, Gaussian, frechet_distance, sliced_distance
from gantrain.metrics.features import Features
from gantrain.metrics.inception_score import inception_score


def points(n: int, size: int, seed: int, shift: float = 0.0) -> Tensor:
    draws = torch.Generator().manual_seed(seed)
    return torch.randn(n, size, generator=draws) @ torch.randn(size, size, generator=draws) / size**0.5 + shift


class Given(FeatureSpace):
    """Numbers as they are, beside logits."""

    name = "inception"
    has_logits = True

    def features(self, x: Tensor, real: RealData, evaluation: Evaluation | None) -> Features:
        return Features(x, x)


class Real(RealData):
    """Given real samples."""

    def __init__(self, x: Tensor) -> None:
        super().__init__(Gaussian1d(), real_of(Gaussian1d()).context)
        self.x = x

    def count(self, part: str) -> int:
        return len(self.x)

    def open(self, part: str) -> Real:  # type: ignore[override]
        return self

    @property
    def size(self) -> int:
        return len(self.x)

    def batches(self, part, n=None, at_once=500, start=0):  # type: ignore[no-untyped-def, override]
        yield {"real": self.x[start : len(self.x) if n is None else start + n]}


def evaluated(x: Tensor, y: Tensor) -> Evaluation:
    return Evaluation(Real(y), lambda n: [x])


@pytest.mark.parametrize(("n", "m"), [(1500, 2000), (50, 2000), (1500, 40), (30, 40)])
def test_fid_is_torch_fidelitys(n: int, m: int) -> None:
    """Also of fewer samples than dimensions, where covariances have no inverse."""
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

    x, y = points(n, 64, 1), points(m, 64, 2, 0.3)
    theirs = fid_statistics_to_metric(fid_features_to_statistics(x), fid_features_to_statistics(y), False)
    ours = FID(Given(), samples=n)(evaluated(x, y))
    assert ours == {"fid": pytest.approx(theirs["frechet_inception_distance"], rel=1e-5)}


def test_kid_is_torch_fidelitys() -> None:
    from torch_fidelity.metric_kid import kid_features_to_metric

    x, y = points(1200, 64, 1), points(1100, 64, 2, 0.1)
    theirs = kid_features_to_metric(x, y, kid_subsets=10, verbose=False)["kernel_inception_distance_mean"]
    ours = KID(Given(), samples=1200, subsets=10)(evaluated(x, y))
    assert ours == {"kid": pytest.approx(theirs, rel=1e-4)}


def test_kid_reads_no_more_real_samples_than_it_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the features of all would fill the memory; the figure is the same."""
    x, y = points(500, 6, 1), points(1100, 6, 2, 0.1)
    wanted = KID(Pixels(), 500, subsets=3, subset_size=20)(evaluated(x, y))
    monkeypatch.setattr(distances, "KEPT", 1000)
    monkeypatch.setattr(distances.FeatureMetric, "real", None)  # which would map them all
    evaluation = evaluated(x, y)
    assert KID(Pixels(), 500, subsets=3, subset_size=20)(evaluation) == wanted
    (kept,) = (held for held in evaluation.real._made.values() if isinstance(held, distances.DrawnReal))
    assert len(kept.samples) <= 60


def test_fid_of_many_dimensions_is_refused() -> None:
    source = Digits(65)
    with pytest.raises(ValueError, match="take mind_pixels"):
        FID(Pixels()).check(source)
    FID(Pixels()).check(Digits(64))
    FID(Inception()).check(source)
    FID(DiscriminatorFeatures()).check(source)


def test_kid_is_unbiased() -> None:
    """Of equal distributions the estimates lie around 0; those that count a point with itself lie above."""
    space = Given()
    draws = torch.Generator().manual_seed(0)
    pairs = [torch.randn(2, 200, 8, generator=draws) for _ in range(60)]
    kids = [KID(space, 200, subsets=1)(evaluated(*pair))["kid"] for pair in pairs]
    assert abs(np.mean(kids)) < 3 * np.std(kids) / math.sqrt(len(kids))


def test_inception_score_is_torch_fidelitys() -> None:
    from torch_fidelity.metric_isc import isc_features_to_metric

    logits = points(1003, 10, 5) * 3
    theirs = isc_features_to_metric(logits)["inception_score_mean"]
    assert InceptionScore(Given(), samples=1003)(evaluated(logits, logits)) == {
        "inception_score": pytest.approx(theirs)
    }


def test_the_inception_score_of_a_perfect_sampler_is_the_number_of_classes() -> None:
    """And of one that makes a single class, or of a judge that never knows, 1."""
    sure = torch.full((1000, 10), -1e9)
    sure[torch.arange(1000), torch.arange(1000) % 10] = 0
    assert inception_score(sure, 1) == pytest.approx(10)
    assert inception_score(sure, 10) == pytest.approx(10)
    assert InceptionScore(Given(), 1000, splits=1)(evaluated(sure, sure))["inception_score"] == pytest.approx(10)
    assert inception_score(sure[:1].expand(1000, -1), 1) == pytest.approx(1)
    assert inception_score(torch.zeros(1000, 10), 1) == pytest.approx(1)


def test_the_frechet_distance_of_gaussians_is_the_closed_form() -> None:
    """Of covariances that commute: |m₁ - m₂|² + Σ (σ₁ - σ₂)², here in turned axes, one of them without width."""
    turn, _ = torch.linalg.qr(torch.randn(6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0)))
    first, second = torch.tensor([1.0, 2, 3, 0, 5, 6]).double(), torch.tensor([2.0, 2, 1, 4, 0, 6.5]).double()
    shift = torch.arange(6.0).double()
    made = [
        Gaussian(mean, turn @ torch.diag(deviation**2) @ turn.T)
        for mean, deviation in ((shift, first), (torch.zeros_like(shift), second))
    ]
    wanted = (shift @ shift + (first - second).square().sum()).item()
    assert frechet_distance(*made) == pytest.approx(wanted)
    assert frechet_distance(made[1], made[0]) == pytest.approx(wanted)
    assert frechet_distance(made[0], made[0]) == pytest.approx(0, abs=1e-6)


def test_the_sliced_distance_of_shifted_points_is_the_closed_form() -> None:
    """Points moved by δ: 3 D mean((uᵀδ)²), which is 3 |δ|² over all directions. Points stretched by c in all
    directions: 3 D (c - 1)² mean((uᵀx)²), which is 3 (c - 1)² mean |x|²."""
    x, shift = points(500, 32, 1), torch.linspace(-1, 1, 32)
    assert sliced_distance(x, x + shift, 5000) == pytest.approx(3 * shift.square().sum().item(), rel=0.03)
    stretched = 3 * 0.25 * x.square().sum(1).mean().item()
    assert sliced_distance(x, 1.5 * x, 5000) == pytest.approx(stretched, rel=0.03)
    assert sliced_distance(x, x[torch.randperm(500)]) == pytest.approx(0, abs=1e-9)
    one = points(300, 1, 2)
    assert sliced_distance(one, one + 2) == pytest.approx(3 * 4, rel=1e-5), "one dimension: exact"


def test_mind_compares_as_many_generated_as_real_samples() -> None:
    x, y = points(700, 4, 1), points(500, 4, 2)
    metric = MIND(Given(), samples=700)
    assert metric(evaluated(x, y)) == {"mind": pytest.approx(sliced_distance(x[:500], y))}
    protocol = metric.protocol(evaluated(x, y))
    assert (protocol.samples, protocol.real) == (500, 500)
    assert MIND(Given(), samples=100)(evaluated(x, y)) == {"mind": pytest.approx(sliced_distance(x[:100], y[:100]))}


def test_what_is_not_finite_gives_no_number() -> None:
    x, y = points(100, 4, 1), points(100, 4, 2)
    x[3, 2] = math.nan
    for metric in (FID(Given(), 100), MIND(Given(), 100), KID(Given(), 100, subsets=2, subset_size=100)):
        assert all(math.isnan(value) for value in metric(evaluated(x, y)).values())
    assert math.isnan(InceptionScore(Given(), 100)(evaluated(x, y))["inception_score"])


def test_names_carry_the_space() -> None:
    assert FID(Given()).keys == ("fid",)
    assert FID(Pixels()).keys == ("fid_pixels",)
    assert InceptionScore(Given()).higher_is_better == {"inception_score"}
    assert not FID(Given()).higher_is_better


def test_an_inception_score_needs_classes() -> None:
    with pytest.raises(ValueError, match="names classes, which pixels has not"):
        InceptionScore(Pixels()).check(Gaussian1d())


def test_real_statistics_are_taken_once_for_all_evaluations() -> None:
    class Counting(Given):
        seen = 0

        def features(self, x: Tensor, real: RealData, evaluation: Evaluation | None) -> Features:
            if evaluation is None:
                Counting.seen += len(x)
            return super().features(x, real, evaluation)

    real = Real(points(600, 4, 2))
    metrics = [FID(Counting(), 100), KID(Counting(), 100, subsets=1), MIND(Counting(), 100)]
    for _ in range(3):
        evaluation = Evaluation(real, lambda n: [points(100, 4, 1)])
        for metric in metrics:
            metric(evaluation)
    assert Counting.seen == 600


def test_settings_that_make_no_sense_are_refused() -> None:
    for make in (
        lambda: FID(Pixels(), samples=1),
        lambda: KID(Pixels(), subsets=0),
        lambda: KID(Pixels(), subset_size=1),
        lambda: MIND(Pixels(), projections=0),
        lambda: InceptionScore(Given(), samples=5, splits=10),
        lambda: FID(Pixels(), split="test"),  # type: ignore[arg-type]
    ):
        with pytest.raises(ValueError, match=r"samples|subset|projections|split"):
            make()


def test_toy_numbers_are_measured_as_they_are() -> None:
    source: Source = Gaussian1d()
    found = sliced_distance(torch.zeros(100, 1), torch.ones(100, 1))
    assert found == pytest.approx(3)
    assert evaluation_of(torch.zeros(3, 1), source).encoded(3).dtype == torch.float32
    assert SEED == 2020
