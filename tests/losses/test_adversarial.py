"""Value functions against their equations, written out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from gantrain.losses import (
    AdversarialLoss,
    Hinge,
    LeastSquares,
    Minimax,
    NonSaturating,
    RelativisticAverage,
    RelativisticPaired,
    Wasserstein,
)

REAL, FAKE = [1.5, -0.5, 2.0], [-1.0, 0.25, 3.0]


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def log_sigmoid(x: float) -> float:
    return -math.log(1 + math.exp(-x))


CROSS_ENTROPY = -mean([log_sigmoid(r) for r in REAL]) - mean([math.log(1 - 1 / (1 + math.exp(-f))) for f in FAKE])
PAIRS = list(zip(REAL, FAKE, strict=True))
CASES = [
    (Minimax(), CROSS_ENTROPY, mean([math.log(1 - 1 / (1 + math.exp(-f))) for f in FAKE])),
    (NonSaturating(), CROSS_ENTROPY, -mean([log_sigmoid(f) for f in FAKE])),
    (
        LeastSquares(),
        mean([0.5 * (r - 1) ** 2 for r in REAL]) + mean([0.5 * f**2 for f in FAKE]),
        mean([0.5 * (f - 1) ** 2 for f in FAKE]),
    ),
    (
        LeastSquares(a=-1, b=1, c=0),
        mean([0.5 * (r - 1) ** 2 for r in REAL]) + mean([0.5 * (f + 1) ** 2 for f in FAKE]),
        mean([0.5 * f**2 for f in FAKE]),
    ),
    (Wasserstein(), mean(FAKE) - mean(REAL), -mean(FAKE)),
    (Hinge(), mean([max(0, 1 - r) for r in REAL]) + mean([max(0, 1 + f) for f in FAKE]), -mean(FAKE)),
    (
        RelativisticPaired(),
        -mean([log_sigmoid(r - f) for r, f in PAIRS]),
        -mean([log_sigmoid(f - r) for r, f in PAIRS]),
    ),
    (
        RelativisticAverage(),
        -mean([log_sigmoid(r - mean(FAKE)) for r in REAL]) - mean([log_sigmoid(mean(REAL) - f) for f in FAKE]),
        -mean([log_sigmoid(f - mean(REAL)) for f in FAKE]) - mean([log_sigmoid(mean(FAKE) - r) for r in REAL]),
    ),
]
NAMES = [type(case[0]).__name__ for case in CASES]


@pytest.mark.parametrize(("loss", "discriminator", "generator"), CASES, ids=NAMES)
def test_equals_its_equation(loss: AdversarialLoss, discriminator: float, generator: float) -> None:
    real, fake = torch.tensor(REAL), torch.tensor(FAKE)
    assert loss.discriminator(real, fake).item() == pytest.approx(discriminator, abs=1e-6)
    assert loss.generator(fake, real).item() == pytest.approx(generator, abs=1e-6)


def gradients(loss: AdversarialLoss) -> tuple[Tensor, Tensor, Tensor]:
    real, fake = torch.tensor(REAL, requires_grad=True), torch.tensor(FAKE, requires_grad=True)
    d_real, d_fake = torch.autograd.grad(loss.discriminator(real, fake), [real, fake])
    (g_fake,) = torch.autograd.grad(loss.generator(fake, real), [fake])
    return d_real, d_fake, g_fake


def test_gradients_by_hand() -> None:
    real, fake = torch.tensor(REAL), torch.tensor(FAKE)
    s, third = torch.sigmoid, 1 / 3
    expected = {
        Minimax(): (-third * (1 - s(real)), third * s(fake), -third * s(fake)),
        NonSaturating(): (-third * (1 - s(real)), third * s(fake), -third * (1 - s(fake))),
        LeastSquares(): (third * (real - 1), third * fake, third * (fake - 1)),
        Wasserstein(): (torch.full((3,), -third), torch.full((3,), third), torch.full((3,), -third)),
        Hinge(): (-third * (real < 1).float(), third * (fake > -1).float(), torch.full((3,), -third)),
    }
    for loss, wanted in expected.items():
        for got, want in zip(gradients(loss), wanted, strict=True):
            torch.testing.assert_close(got, want, msg=type(loss).__name__)


@pytest.mark.parametrize("loss", [case[0] for case in CASES], ids=NAMES)
@pytest.mark.parametrize("size", [1e4, -1e4])
def test_finite_for_extreme_logits(loss: AdversarialLoss, size: float) -> None:
    real, fake = torch.full((4,), size, requires_grad=True), torch.full((4,), -size, requires_grad=True)
    total = loss.discriminator(real, fake) + loss.generator(fake, real)
    total.backward()
    assert total.isfinite()
    assert real.grad is not None
    assert real.grad.isfinite().all()


def test_disjoint_distributions_have_the_divergence_log_2() -> None:
    """A discriminator that is sure of everything has the value 0, so that JS = (0 + log 4)/2 = log 2."""
    value = -Minimax().discriminator(torch.full((8,), 1e3), torch.full((8,), -1e3))
    assert (value.item() + math.log(4)) / 2 == pytest.approx(math.log(2))


def test_relativistic_losses_know_differences_only() -> None:
    """The same number added to all logits changes nothing; discriminator and generator mirror each other."""
    real, fake = torch.tensor(REAL), torch.tensor(FAKE)
    for loss in (RelativisticPaired(), RelativisticAverage()):
        torch.testing.assert_close(loss.discriminator(real + 3, fake + 3), loss.discriminator(real, fake))
        torch.testing.assert_close(loss.generator(fake + 3, real + 3), loss.generator(fake, real))
        torch.testing.assert_close(loss.generator(fake, real), loss.discriminator(fake, real))
        with pytest.raises(ValueError, match="needs the real logits"):
            loss.generator(fake)


def test_where_real_and_fake_are_alike_a_relativistic_discriminator_guesses() -> None:
    same = torch.full((5,), 3.0)
    for players in (RelativisticAverage().discriminator, RelativisticAverage().generator):
        assert players(same, same).item() == pytest.approx(2 * math.log(2))
    assert RelativisticPaired().discriminator(same, same).item() == pytest.approx(math.log(2))


def test_the_average_of_patches_is_that_of_each_place() -> None:
    """(N, P) logits are P games at once: the loss is the mean over places."""
    real, fake = torch.randn(6, 4), torch.randn(6, 4)
    loss = RelativisticAverage()
    places = [loss.discriminator(real[:, p], fake[:, p]) for p in range(4)]
    torch.testing.assert_close(loss.discriminator(real, fake), torch.stack(places).mean())


def test_smoothing_never_touches_the_fake_target() -> None:
    real, fake = torch.tensor(REAL), torch.tensor(FAKE)
    loss = NonSaturating()
    smoothed = loss.discriminator(real, fake, real_target=0.9)
    wanted = -mean([0.9 * log_sigmoid(r) + 0.1 * log_sigmoid(-r) for r in REAL]) - mean([log_sigmoid(-f) for f in FAKE])
    assert smoothed.item() == pytest.approx(wanted, abs=1e-6)


def test_targets_are_probabilities() -> None:
    with pytest.raises(ValueError, match="real_label must be 1 or less"):
        NonSaturating(real_label=1.2)


def test_accuracy() -> None:
    real, fake = torch.tensor([1.0, -1.0]), torch.tensor([-1.0, -2.0])
    assert NonSaturating().accuracy(real, fake).item() == 0.75
    assert Wasserstein().accuracy(real, fake).item() == 1.0
    assert RelativisticAverage().accuracy(torch.tensor([2.0, -3.0]), torch.tensor([-2.0, -1.0])).item() == 0.75
    assert LeastSquares().accuracy(torch.tensor([0.6]), torch.tensor([0.4])).item() == 1.0
