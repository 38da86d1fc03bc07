"""Gradient penalties on critics whose gradient is known."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from gantrain.losses import R1, R2, Dragan, GradientPenalty
from gantrain.losses.penalties import fakes_of_same_label
from gantrain.turns import Samples


@pytest.fixture
def w() -> Tensor:
    return torch.tensor([0.5, -2.0, 1.0], requires_grad=True)


def test_linear_critic_has_the_same_penalty_everywhere(w: Tensor) -> None:
    def critic(x: Samples) -> Tensor:
        return x.x @ w

    real, fake = Samples(torch.randn(7, 3)), Samples(torch.randn(7, 3))
    norm = w.norm().item()
    assert GradientPenalty()(critic, real, fake).item() == pytest.approx((norm - 1) ** 2, rel=1e-6)
    assert Dragan()(critic, real, fake).item() == pytest.approx((norm - 1) ** 2, rel=1e-6)
    assert Dragan(target=0.0)(critic, real, fake).item() == pytest.approx(norm**2, rel=1e-6)
    assert R1()(critic, real, fake).item() == pytest.approx(norm**2 / 2, rel=1e-6)
    assert R2()(critic, real, fake).item() == pytest.approx(norm**2 / 2, rel=1e-6)


def test_reaches_the_parameters(w: Tensor) -> None:
    penalty = GradientPenalty()(lambda x: x.x @ w, Samples(torch.randn(4, 3)), Samples(torch.randn(4, 3)))
    penalty.backward()
    norm = w.norm()
    assert w.grad is not None
    torch.testing.assert_close(w.grad, (2 * (norm - 1) * w / norm).detach())


def test_norms_are_per_sample() -> None:
    """D(x) = ½x² has the gradient x: the mean over samples of (|x| - 1)², not the square of a mean."""
    real = Samples(torch.tensor([[1.0], [3.0], [-2.0]]))
    found = GradientPenalty()(lambda x: 0.5 * x.x.square().sum(1), real, real)
    assert found.item() == pytest.approx((0 + 4 + 1) / 3)
    assert Dragan().value(torch.tensor([[0.0, 1.0], [3.0, 0.0], [0.0, -2.0]])).item() == pytest.approx((0 + 4 + 1) / 3)


def test_points_lie_on_lines_with_their_own_epsilon() -> None:
    real, fake = torch.zeros(500, 2), torch.stack([torch.ones(500), 2 * torch.ones(500)], 1)
    points = GradientPenalty().points(Samples(real), Samples(fake)).x
    torch.testing.assert_close(points[:, 1], 2 * points[:, 0])
    assert points[:, 0].std() > 0.2
    assert points.min() >= 0
    assert points[:, 0].max() <= 1


def test_a_picture_has_one_epsilon() -> None:
    torch.manual_seed(0)
    points = GradientPenalty().points(Samples(torch.ones(500, 3, 2, 2)), Samples(torch.zeros(500, 3, 2, 2)))
    points = points.x.flatten(1)
    torch.testing.assert_close(points, points[:, :1].expand(-1, 12))
    assert points[:, 0].mean().item() == pytest.approx(0.5, abs=0.06)
    assert points[:, 0].std().item() == pytest.approx(12**-0.5, abs=0.03)
    assert len(points[:, 0].unique()) > 450


def test_dragan_looks_around_the_data_each_sample_as_far_as_its_own_alpha() -> None:
    """x + α·δ with δ in [0, ½ std): over a thousand entries the farthest is at α · ½ std."""
    torch.manual_seed(0)
    real = 3 * torch.randn(400, 1000) + 7
    away = (Dragan().points(Samples(real), Samples(torch.zeros_like(real))).x - real) / (0.5 * real.std())
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
        points.append(Dragan().points(Samples(real), Samples(fake)).x)
    assert torch.equal(*points)
    assert points[0].shape == real.shape


def test_where_r1_and_r2_look() -> None:
    def critic(x: Samples) -> Tensor:
        return 0.5 * x.x.square().sum(1)

    real, fake = Samples(torch.full((5, 1), 3.0)), Samples(torch.full((5, 1), 7.0))
    assert R1()(critic, real, fake).item() == pytest.approx(4.5)
    assert R2()(critic, real, fake).item() == pytest.approx(24.5)


def test_flat_critic_stays_finite() -> None:
    layer = nn.Linear(2, 1)
    nn.init.zeros_(layer.weight)
    penalty = GradientPenalty()(lambda x: layer(x.x).squeeze(1), Samples(torch.randn(4, 2)), Samples(torch.randn(4, 2)))
    penalty.backward()
    assert penalty.item() == pytest.approx(1.0)
    assert layer.weight.grad is not None
    assert layer.weight.grad.isfinite().all()


def test_float32_under_autocast(w: Tensor) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        found = GradientPenalty()(lambda x: x.x @ w, Samples(torch.randn(4, 3)), Samples(torch.randn(4, 3)))
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx((w.norm().item() - 1) ** 2, rel=1e-6)


def test_conditions_are_float32_too(w: Tensor) -> None:
    """A code in bf16, as an encoder under autocast makes it, beside samples in float32."""
    layer = nn.Linear(5, 1)

    def critic(x: Samples) -> Tensor:
        return layer(torch.cat([x.x, x.conditions["code"]], 1)).squeeze(1)

    def some() -> Samples:
        return Samples(torch.randn(4, 3).bfloat16(), {"code": torch.randn(4, 2).bfloat16()})

    for penalty in (R1(), R2(), GradientPenalty(), Dragan()):
        with torch.autocast("cpu", torch.bfloat16):
            found = penalty(critic, some(), some())
        norm = layer.weight.norm().item()
        wanted = norm**2 / 2 if isinstance(penalty, R1) else (norm - 1) ** 2
        assert found.item() == pytest.approx(wanted, rel=1e-5)


def pairs(n: int, place: float) -> Samples:
    return Samples(torch.randn(n, 2) + place, {"code": torch.randn(n, 3) - place})


def test_a_pairs_gradient_is_by_sample_and_code() -> None:
    """D(x, c) = a·x + b·c has the slope (a, b) on pairs, everywhere."""
    a, b = torch.tensor([0.5, 2.0]), torch.tensor([1.0, -1.0, 0.25])
    norm = torch.cat([a, b]).norm().item()

    def critic(x: Samples) -> Tensor:
        return x.x @ a + x.conditions["code"] @ b

    real, fake = pairs(6, 0.0), pairs(6, 3.0)
    for penalty in (R1(), R2()):
        assert penalty(critic, real, fake).item() == pytest.approx(norm**2 / 2, rel=1e-5)
    for line in (GradientPenalty(), Dragan()):
        assert line(critic, real, fake).item() == pytest.approx((norm - 1) ** 2, rel=1e-5)


def test_lines_join_pairs_with_one_epsilon() -> None:
    real = Samples(torch.zeros(300, 2), {"code": torch.zeros(300, 3)})
    fake = Samples(torch.full((300, 2), 2.0), {"code": torch.full((300, 3), -6.0)})
    points = GradientPenalty().points(real, fake)
    torch.testing.assert_close(points.conditions["code"], -3 * points.x[:, :1].expand(-1, 3))
    assert points.x[:, 0].std() > 0.2


def test_lines_join_samples_of_one_label() -> None:
    """Real samples of class y lie at 10·y, fakes at 10·y + 1: so do all points between, with the label y."""
    torch.manual_seed(0)
    label, other = torch.randint(4, (200,)), torch.randint(4, (200,))
    real = Samples(10.0 * label[:, None], {"label": label})
    fake = Samples(10.0 * other[:, None] + 1, {"label": other})
    points = GradientPenalty().points(real, fake)
    along = points.x[:, 0] - 10 * points.conditions["label"]
    assert torch.equal(points.conditions["label"], label)
    assert along.min() >= 0
    assert along.max() <= 1
    assert along.mean().item() == pytest.approx(0.5, abs=0.08)
    assert len(points.x.unique()) > 190


def test_a_partner_is_any_fake_of_the_label() -> None:
    real = Samples(torch.zeros(400, 1), {"label": torch.zeros(400).long()})
    fake = Samples(torch.arange(400.0)[:, None], {"label": torch.arange(400) % 2})
    drawn = fakes_of_same_label(real, fake).x[:, 0]
    assert (drawn % 2 == 0).all()
    assert drawn.mean().item() == pytest.approx(199, abs=25)
    assert len(drawn.unique()) > 80


def test_a_line_without_a_partner_is_a_point() -> None:
    real = Samples(torch.tensor([[5.0], [7.0]]), {"label": torch.tensor([0, 1])})
    fake = Samples(torch.tensor([[1.0], [2.0]]), {"label": torch.tensor([1, 1])})
    points = GradientPenalty().points(real, fake).x
    assert points[0].item() == 5.0
    assert 1 <= points[1].item() <= 7


def test_r1_and_r2_have_the_conditions_of_their_samples() -> None:
    """D(x, y) = w_y·x: its slope is that of the sample's own label."""
    w = torch.tensor([2.0, 6.0])

    def critic(x: Samples) -> Tensor:
        return w[x.conditions["label"]] * x.x[:, 0]

    real = Samples(torch.randn(5, 1), {"label": torch.zeros(5).long()})
    fake = Samples(torch.randn(5, 1), {"label": torch.ones(5).long()})
    found = [penalty(critic, real, fake).item() for penalty in (R1(), R2(), Dragan(target=0.0))]
    assert found == pytest.approx([2.0, 18.0, 4.0])


def test_the_penalty_follows_the_fakes_to_what_made_them() -> None:
    """On D(x) = ½x² the value (|x̂| - 1)² moves with the fakes' end of the line."""
    shift = torch.tensor(3.0, requires_grad=True)

    def value(shift: Tensor) -> Tensor:
        torch.manual_seed(0)
        fake = Samples(torch.ones(4, 1) * shift)
        return GradientPenalty()(lambda x: 0.5 * x.x.square().sum(1), Samples(torch.full((4, 1), 2.0)), fake)

    (slope,) = torch.autograd.grad(value(shift), [shift])
    step = 1e-2
    rise = (value(shift.detach() + step) - value(shift.detach() - step)) / (2 * step)
    assert slope.item() == pytest.approx(rise.item(), rel=1e-3)


def test_every_must_be_positive() -> None:
    with pytest.raises(ValueError, match="every"):
        R1(every=0)
