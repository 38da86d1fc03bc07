"""Gradient penalties on critics whose gradient is known."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from gantrain.losses import R1, R2, Dragan, GradientPenalty


@pytest.fixture
def w() -> Tensor:
    return torch.tensor([0.5, -2.0, 1.0], requires_grad=True)


def test_linear_critic_has_the_same_penalty_everywhere(w: Tensor) -> None:
    def critic(x: Tensor) -> Tensor:
        return x @ w

    real, fake = torch.randn(7, 3), torch.randn(7, 3)
    norm = w.norm().item()
    assert GradientPenalty()(critic, real, fake).item() == pytest.approx((norm - 1) ** 2, rel=1e-6)
    assert Dragan()(critic, real, fake).item() == pytest.approx((norm - 1) ** 2, rel=1e-6)
    assert Dragan(target=0.0)(critic, real, fake).item() == pytest.approx(norm**2, rel=1e-6)
    assert R1()(critic, real, fake).item() == pytest.approx(norm**2 / 2, rel=1e-6)
    assert R2()(critic, real, fake).item() == pytest.approx(norm**2 / 2, rel=1e-6)


def test_reaches_the_parameters(w: Tensor) -> None:
    penalty = GradientPenalty()(lambda x: x @ w, torch.randn(4, 3), torch.randn(4, 3))
    penalty.backward()
    norm = w.norm()
    assert w.grad is not None
    torch.testing.assert_close(w.grad, (2 * (norm - 1) * w / norm).detach())


def test_norms_are_per_sample() -> None:
    """D(x) = ½x² has the gradient x: the mean over samples of (|x| - 1)², not the square of a mean."""
    real = torch.tensor([[1.0], [3.0], [-2.0]])
    found = GradientPenalty()(lambda x: 0.5 * x.square().sum(1), real, real)
    assert found.item() == pytest.approx((0 + 4 + 1) / 3)
    assert Dragan().value(torch.tensor([[0.0, 1.0], [3.0, 0.0], [0.0, -2.0]])).item() == pytest.approx((0 + 4 + 1) / 3)


def test_points_lie_on_lines_with_their_own_epsilon() -> None:
    real, fake = torch.zeros(500, 2), torch.stack([torch.ones(500), 2 * torch.ones(500)], 1)
    points = GradientPenalty().points(real, fake)
    torch.testing.assert_close(points[:, 1], 2 * points[:, 0])
    assert points[:, 0].std() > 0.2
    assert points.min() >= 0
    assert points[:, 0].max() <= 1


def test_a_picture_has_one_epsilon() -> None:
    torch.manual_seed(0)
    points = GradientPenalty().points(torch.ones(500, 3, 2, 2), torch.zeros(500, 3, 2, 2)).flatten(1)
    torch.testing.assert_close(points, points[:, :1].expand(-1, 12))
    assert points[:, 0].mean().item() == pytest.approx(0.5, abs=0.06)
    assert points[:, 0].std().item() == pytest.approx(12**-0.5, abs=0.03)
    assert len(points[:, 0].unique()) > 450


def test_dragan_looks_around_the_data_each_sample_as_far_as_its_own_alpha() -> None:
    """x + α·δ with δ in [0, ½ std): over a thousand entries the farthest is at α · ½ std."""
    torch.manual_seed(0)
    real = 3 * torch.randn(400, 1000) + 7
    away = (Dragan().points(real, torch.zeros_like(real)) - real) / (0.5 * real.std())
    assert away.min() >= -1e-5
    assert away.max() < 1 + 1e-5
    alpha = away.max(1).values
    assert alpha.mean().item() == pytest.approx(0.5, abs=0.06)
    assert alpha.std().item() == pytest.approx(12**-0.5, abs=0.03)
    torch.testing.assert_close(away.mean(1), alpha / 2, rtol=0.1, atol=0.001)  # U[0, 1) in every entry
    assert (away[:, 0] / alpha).std().item() == pytest.approx(12**-0.5, abs=0.04)


def test_dragan_does_not_look_at_fakes() -> None:
    torch.manual_seed(0)
    real = torch.randn(4, 1, 3, 3)
    points = []
    for fake in (torch.zeros_like(real), torch.full_like(real, 9.0)):
        torch.manual_seed(1)
        points.append(Dragan().points(real, fake))
    assert torch.equal(*points)
    assert points[0].shape == real.shape


def test_where_r1_and_r2_look() -> None:
    def critic(x: Tensor) -> Tensor:
        return 0.5 * x.square().sum(1)

    real, fake = torch.full((5, 1), 3.0), torch.full((5, 1), 7.0)
    assert R1()(critic, real, fake).item() == pytest.approx(4.5)
    assert R2()(critic, real, fake).item() == pytest.approx(24.5)


def test_flat_critic_stays_finite() -> None:
    layer = nn.Linear(2, 1)
    nn.init.zeros_(layer.weight)
    penalty = GradientPenalty()(lambda x: layer(x).squeeze(1), torch.randn(4, 2), torch.randn(4, 2))
    penalty.backward()
    assert penalty.item() == pytest.approx(1.0)
    assert layer.weight.grad is not None
    assert layer.weight.grad.isfinite().all()


def test_float32_under_autocast(w: Tensor) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        found = GradientPenalty()(lambda x: x @ w, torch.randn(4, 3), torch.randn(4, 3))
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx((w.norm().item() - 1) ** 2, rel=1e-6)


def test_every_must_be_positive() -> None:
    with pytest.raises(ValueError, match="every"):
        R1(every=0)
