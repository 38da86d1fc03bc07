"""A penalty takes no gradient by what a sample is judged under."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gantrain.losses import R1, R2, Dragan, GradientPenalty
from gantrain.losses.penalties import Penalty
from gantrain.turns import Samples

W, V = torch.tensor([3.0, 4.0]), torch.tensor([12.0, 0.0])
"""How a linear critic weighs samples, norm 5, and what lies beside them, norm 12: together 13."""


def critic(samples: Samples) -> Tensor:
    return samples.x @ W + samples.conditions["beside"] @ V


@pytest.mark.parametrize(
    ("penalty", "of_norm"),
    [(R1(1.0), lambda n: n * n / 2), (R2(1.0), lambda n: n * n / 2)]
    + [(kind(1.0), lambda n: (n - 1) ** 2) for kind in (GradientPenalty, Dragan)],
)
def test_what_is_given_has_no_slope(penalty: Penalty, of_norm) -> None:  # type: ignore[no-untyped-def]
    for given, norm in ((["beside"], 5.0), ([], 13.0)):
        real, fake = (
            Samples(torch.randn(6, 2), {"beside": torch.randn(6, 2)}).only(["beside"], given) for _ in range(2)
        )
        assert penalty(critic, real, fake).item() == pytest.approx(of_norm(norm), rel=1e-5)


@pytest.mark.parametrize("kind", [R1, GradientPenalty, Dragan])
def test_what_is_given_stays_what_it_is(kind: type[Penalty]) -> None:
    """Where the gradient is taken, too: it is that of the real sample, in float32 like all else."""
    seen: list[Tensor] = []

    def noting(samples: Samples) -> Tensor:
        seen.append(samples.conditions["beside"])
        return critic(samples)

    beside = torch.randn(6, 2).bfloat16()
    real, fake = (Samples(torch.randn(6, 2), {"beside": b}).only(["beside"], ["beside"]) for b in (beside, -beside))
    kind(1.0)(noting, real, fake)
    assert torch.equal(seen[0], beside.float())
    assert not seen[0].requires_grad
