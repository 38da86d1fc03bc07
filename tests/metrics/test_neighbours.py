"""Precision, recall, density, coverage, Vendi and diversity against other hands' packages and closed forms."""

from __future__ import annotations

import contextlib
import io
import math
from pathlib import Path

import pytest
import torch
from evaluations import evaluation_of, real_of
from torch import Tensor

from gantrain.data import Digits, Ring
from gantrain.errors import UserError
from gantrain.metrics import DensityCoverage, Diversity, FeatureMetric, Pixels, PrecisionRecall, Vendi, pairwise
from gantrain.metrics.diversity import vendi
from gantrain.metrics.neighbours import density_coverage, precision_recall
from gantrain.metrics.pairwise import mean_distance, nearest, squared_distances, squared_radii


def points(n: int, d: int, seed: int = 0, scale: float = 1, shift: float = 0) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed)) * scale + shift


@pytest.fixture(params=[2**24, 700])
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """All pairs at once, or few rows at a time."""
    monkeypatch.setattr(pairwise, "BLOCK", request.param)


@pytest.mark.usefixtures("block")
@pytest.mark.parametrize(("n", "m", "d", "k"), [(300, 400, 8, 3), (200, 200, 64, 5), (100, 50, 2, 5)])
def test_as_prdc_says(n: int, m: int, d: int, k: int) -> None:
    from prdc import compute_prdc

    real, generated = points(m, d), points(n, d, 1, 0.9, 0.2)
    with contextlib.redirect_stdout(io.StringIO()):
        wanted = compute_prdc(real.numpy(), generated.numpy(), k)
    assert precision_recall(real, generated, k) == pytest.approx((wanted["precision"], wanted["recall"]), abs=1e-6)
    assert density_coverage(real, generated, k) == pytest.approx((wanted["density"], wanted["coverage"]), abs=1e-6)


def test_identical_and_disjoint_sets() -> None:
    x = points(1000, 6)
    assert precision_recall(x, x) == (1, 1)
    density, coverage = density_coverage(x, x)
    assert coverage == 1
    assert 1 <= density <= 6 / 5, (
        "of the five nearest and itself, the fifth is on the edge: rounding says whether inside"
    )
    assert precision_recall(x, x + 100) == density_coverage(x, x + 100) == (0, 0)


def test_half_of_the_data() -> None:
    """All of one of two clusters: precise, and half is reached."""
    two = torch.cat([points(300, 3), points(300, 3, 1, shift=50)])
    one = points(400, 3, 2, 0.5)
    precision, recall = precision_recall(two, one)
    assert precision == 1
    assert recall <= 0.5
    assert density_coverage(two, one)[1] <= 0.5
    assert precision_recall(one, two)[0] <= 0.5


@pytest.mark.parametrize(("n", "d"), [(100, 8), (40, 200)])
def test_vendi_as_its_package_says(n: int, d: int) -> None:
    from vendi_score import vendi as package

    x = points(n, d).double()
    assert vendi(x) == pytest.approx(package.score_dual(x.numpy()), abs=1e-6)
    assert vendi(x) == pytest.approx(package.score_X(x.numpy()), abs=1e-6)


def test_vendi_counts_what_is_different() -> None:
    assert vendi(torch.eye(7)) == pytest.approx(7)
    assert vendi(torch.eye(7).repeat(5, 1)) == pytest.approx(7)
    assert vendi(torch.ones(20, 3)) == pytest.approx(1)
    assert vendi(torch.zeros(20, 3)) == pytest.approx(1), "black pictures are all alike"
    assert vendi(torch.cat([torch.zeros(4, 3), torch.eye(3).repeat(4, 1)])) == pytest.approx(4)


@pytest.mark.usefixtures("block")
def test_distances_are_those_between_pairs() -> None:
    x, y = points(70, 5, shift=1000), points(90, 5, 1, shift=1000)
    table = torch.cat([part for _, part in squared_distances(x, y)])
    wanted = torch.cdist(x.double(), y.double(), compute_mode="donot_use_mm_for_euclid_dist")
    assert torch.allclose(table.sqrt(), wanted, atol=1e-6)
    assert mean_distance(x) == pytest.approx(torch.pdist(x.double()).mean().item(), rel=1e-9)
    own = torch.cdist(x.double(), x.double(), compute_mode="donot_use_mm_for_euclid_dist").sort(1).values
    assert torch.allclose(squared_radii(x, 4).sqrt(), own[:, 4], atol=1e-6)
    distance, found = nearest(x, y)
    assert torch.equal(found, wanted.argmin(1))
    assert torch.allclose(distance, wanted.min(1).values, atol=1e-12)
    distance, found = nearest(x[20:], x, own=-20)
    assert torch.equal(found, _nearest_other(x)[20:])
    assert bool((distance > 0).all())
    assert torch.equal(nearest(x, x[20:], own=20)[1][20:], _nearest_other(x[20:])), "the others come first"
    assert torch.equal(nearest(x, x)[0], torch.zeros(70, dtype=torch.float64)), "a copy lies at 0"


def _nearest_other(x: Tensor) -> Tensor:
    table = torch.cdist(x.double(), x.double(), compute_mode="donot_use_mm_for_euclid_dist")
    return table.fill_diagonal_(math.inf).argmin(1)


def test_diversity_of_all_half_and_nothing() -> None:
    ring = Ring()
    torch.manual_seed(3)
    whole = ring.sample(2000, torch.device("cpu"))["real"]
    found = Diversity(Pixels(), 2000)(evaluation_of(whole, ring))["diversity_pixels"]
    assert found == pytest.approx(1, abs=0.02)
    assert Diversity(Pixels(), 2000)(evaluation_of(whole / 2, ring))["diversity_pixels"] == pytest.approx(found / 2)
    assert Diversity(Pixels(), 500)(evaluation_of(whole[:1].expand(500, 2), ring))["diversity_pixels"] == 0


METRICS = [PrecisionRecall, DensityCoverage, Diversity, Vendi]


@pytest.mark.parametrize("kind", METRICS)
def test_in_pixels_of_digits(kind: type[FeatureMetric], tmp_path: Path) -> None:
    """Real digits are what real digits are; noise, one digit alone, and nothing are not; no number is no figure."""
    source, metric = Digits(8), kind(Pixels(), 400)
    real = real_of(source, tmp_path)
    x = torch.cat([batch["real"] for batch in real.batches("train")])

    def of(made: Tensor) -> dict[str, float]:
        evaluation = evaluation_of(made, source)
        evaluation.real = real
        return metric(evaluation)

    copies, collapsed = of(x[400:800]), of(x[:1].expand(400, -1, -1, -1))
    assert set(copies) == set(metric.keys)
    for key in metric.keys:
        assert copies[key] > 2 * collapsed[key] or key.startswith(("precision", "density")), key
        assert math.isfinite(collapsed[key])
    protocol = metric.protocol(evaluation_of(x, source))
    assert (protocol.samples, protocol.space, protocol.split) == (400, "pixels", "train")


@pytest.mark.parametrize("kind", METRICS)
def test_samples_that_are_no_numbers(kind: type[FeatureMetric]) -> None:
    x = points(50, 2)
    x[7, 1] = math.nan
    found = kind(Pixels(), 50)(evaluation_of(x, Ring()))
    assert found.keys() == set(kind(Pixels(), 50).keys)
    assert all(math.isnan(value) for value in found.values())


def test_real_ones_are_as_many_as_there_are(tmp_path: Path) -> None:
    metric = DensityCoverage(Pixels(), 5000)
    real = real_of(Digits(8), tmp_path)
    metric.prepare(real)
    evaluation = evaluation_of(torch.zeros(1, 1, 8, 8), Digits(8))
    evaluation.real = real
    assert (metric.protocol(evaluation).real, metric.protocol(evaluation).settings) == (1797, {"k": 5})
    assert DensityCoverage(Pixels(), 100).protocol(evaluation).real == 100
    with pytest.raises(UserError, match="needs 6 or more real samples, and there are 4: leave it out"):
        metric.prepare(real_of(Digits(8), tmp_path, limit=4))


def test_settings_that_make_no_sense() -> None:
    with pytest.raises(ValueError, match="samples must be 4 or more, got 3"):
        PrecisionRecall(Pixels(), 3)
    with pytest.raises(ValueError, match="k must be 1 or more"):
        DensityCoverage(Pixels(), k=0)
    with pytest.raises(ValueError, match="at most as many samples as they have dimensions, here 2: use diversity_pix"):
        Vendi(Pixels()).check(Ring())
    with pytest.raises(ValueError, match=r"eigenvalues of 12000 rows: set metrics\.known\.vendi\.samples=10000"):
        Vendi(Pixels(), 12000).check(Digits(128))
    Vendi(Pixels(), 12000).check(Digits(64))


def test_what_is_known_of_real_ones_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """For all evaluations of a run; the figures are those of both sets together."""
    real, one, two = real_of(Ring()), points(300, 2), points(300, 2, 1)
    metric, seen = PrecisionRecall(Pixels(), 300), []
    summary = metric.summary
    monkeypatch.setattr(metric, "summary", lambda features: seen.append(features) or summary(features))
    for x in (one, two):
        evaluation = evaluation_of(x, Ring())
        evaluation.real = real
        wanted = precision_recall(metric.real(evaluation, 300).values, x)
        assert tuple(metric(evaluation).values()) == pytest.approx(wanted)
    assert len(seen) == 1
