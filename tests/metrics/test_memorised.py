"""Copies of training samples, told from samples that no one trained on."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from evaluations import real_of
from torch import Tensor

from gantrain.data import Digits, Ring, to_pixels
from gantrain.errors import UserError
from gantrain.metrics import Evaluation, Features, FeatureSpace, Memorised, Pixels, RealData, memorised
from gantrain.metrics.memorised import memorised_share


class Halves(FeatureSpace):
    """Left halves of pictures, as a space with a size of its own."""

    name, size = "halves", 32

    def features(self, x: Tensor, real: RealData, evaluation: Evaluation | None) -> Features:
        return Features(x[..., :4].float().flatten(1) / 255)


class Moving(Halves):
    """The same, of a network that is trained."""

    name, of_the_run = "moving", True


def test_the_share_of_copies() -> None:
    torch.manual_seed(0)
    fresh, others = torch.rand(20_000, 2).add(1).double().T
    for share in (0.0, 0.1, 0.5, 1.0):
        made = torch.where(torch.arange(20_000) < share * 20_000, 0.0, fresh)
        assert memorised_share(made, others) == pytest.approx(share, abs=0.005)
    assert memorised_share(fresh + 5, others) == 0, "far away is not memorised"
    assert math.isnan(memorised_share(fresh, torch.ones(50).double()))


def test_data_that_hold_pairs_of_equals() -> None:
    """Where a fifth of the held-out samples equal a training sample, a fifth of samples at 0 is what is expected."""
    reference = torch.where(torch.arange(1000) < 200, 0.0, 1 + torch.rand(1000)).double()
    assert memorised_share(reference, reference) == 0
    assert memorised_share(torch.zeros(1000).double(), reference) == 1


@pytest.mark.parametrize("space", [Pixels(), Halves(), Moving()])
@pytest.mark.parametrize("held_out", [0, 600])
def test_copies_and_fresh_digits(
    space: FeatureSpace, held_out: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memorised, "AT_ONCE", 350)
    source = Digits(8, held_out=held_out or 600)
    whole = real_of(source, tmp_path)
    training = torch.cat([batch["real"] for batch in whole.batches("train")])
    fresh = torch.cat([batch["real"] for batch in whole.batches("held_out")])
    real = whole
    if not held_out:

        class Alone(Digits):
            def held_out_part(self) -> None:
                return None

        real = real_of(Alone(8, held_out=600), tmp_path)
    metric = Memorised(space, 500)
    metric.prepare(real)

    def of(x: Tensor) -> tuple[float, float]:
        found = metric(Evaluation(real, lambda n: [x[:n]]))
        return found[metric.keys[0]], found[metric.keys[1]]

    share, ratio = of(fresh)
    assert (share, ratio) == (pytest.approx(0, abs=0.06), pytest.approx(1, abs=0.15))
    assert of(training[300:]) == (1, 0)
    assert of(torch.cat([training[:250], fresh[:250]]))[0] == pytest.approx(0.5, abs=0.06)
    assert of(torch.rand(500, 1, 8, 8) * 2 - 1)[0] == 0
    protocol = metric.protocol(Evaluation(real, lambda n: []))
    assert protocol.settings["reference"] == ("held-out samples" if held_out else "other training samples")
    assert (protocol.samples, protocol.real, protocol.split) == (500, 1197, "train")


def test_the_most_copied_stand_beside_their_training_samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memorised, "AT_ONCE", 350)
    real = real_of(Digits(8, held_out=600), tmp_path)
    training = torch.cat([batch["real"] for batch in real.batches("train")])
    made = torch.cat([batch["real"] for batch in real.batches("held_out")])[:100].clone()
    made[[70, 20]] = training[[5, 900]]
    samples, beside, ratio = Memorised(Pixels(), 100).most_copied(Evaluation(real, lambda n: [made]), 3)
    assert torch.equal(samples[:2], beside[:2])
    assert {tuple(x.flatten().tolist()) for x in samples[:2]} == {
        tuple(x.flatten().tolist()) for x in to_pixels(training[[5, 900]])
    }
    assert ratio[:2].tolist() == [0, 0]
    assert 0 < ratio[2] < 1


def test_what_cannot_be_memorised_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs data of which there is an end, and these are drawn afresh"):
        Memorised(Pixels()).check(Ring())
    with pytest.raises(UserError, match="needs 2 or more training samples"):
        Memorised(Pixels()).prepare(real_of(Digits(8), tmp_path, limit=1))
    found = Memorised(Halves(), 20)(
        Evaluation(real_of(Digits(8), tmp_path), lambda n: [torch.full((n, 1, 8, 8), math.nan)])
    )
    assert all(value >= 0 for value in found.values()), "pictures that are no numbers are black ones"
