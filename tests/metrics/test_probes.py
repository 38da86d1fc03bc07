"""What classifiers learn, class balance, Parzen windows and spectra."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from evaluations import evaluation_of, real_of
from torch import Tensor

from gantrain.data import Array, Digits, Gaussian1d, Ring
from gantrain.errors import UserError
from gantrain.metrics import (
    ClassBalance,
    Downstream,
    Evaluation,
    Features,
    FeatureSpace,
    LinearProbe,
    Parzen,
    Pixels,
    RealData,
    SpectrumError,
)
from gantrain.metrics.class_balance import balance
from gantrain.metrics.parzen import parzen_log_likelihood
from gantrain.metrics.probes import probe_accuracy
from gantrain.metrics.spectrum import spectrum, upper_third

DIGITS = Digits(8, held_out=597)


class Sure(FeatureSpace):
    """Names a point of the plane by the angle at which it lies, of eight."""

    name, has_logits = "sure", True

    def features(self, x: Tensor, real: RealData, evaluation: Evaluation | None) -> Features:
        angle = torch.atan2(x[:, 1], x[:, 0]) / (2 * math.pi) * 8
        return Features(x, F.one_hot(angle.round().long() % 8, 8).float())


def test_class_balance_by_hand() -> None:
    """A class left out, one at a twentieth, one that the data lack."""
    real = torch.tensor([0.2, 0.2, 0.2, 0.4, 0.0]).double()
    made = torch.tensor([0.5, 0.01, 0.0, 0.44, 0.05]).double()
    assert balance(made, real) == pytest.approx((2, (0.3 + 0.19 + 0.2 + 0.04 + 0.05) / 2, 2, 0))
    assert balance(real, real) == (0, 0, 0, 1)


def test_class_balance_of_a_ring() -> None:
    ring = Ring()
    torch.manual_seed(1)
    held = ring.sample(4000, torch.device("cpu"))
    found = ClassBalance(Sure(), 4000)(evaluation_of(held["real"], ring))
    assert found["missing_classes_sure"] == 0
    assert found["class_total_variation_sure"] < 0.05
    kept = held["real"][held["label"] != 5]
    found = ClassBalance(Sure(), len(kept))(evaluation_of(kept, ring))
    assert (found["missing_classes_sure"], found["rarest_class_sure"], found["rarest_class_share_sure"]) == (1, 5, 0)
    assert found["class_total_variation_sure"] == pytest.approx(1 / 8, abs=0.03)
    with pytest.raises(ValueError, match="needs a space that names classes: use class_balance_classifier"):
        ClassBalance(Pixels()).check(ring)


def labelled_digits(real: RealData, wrong: float = 0.0) -> Evaluation:
    """Generated are real digits, of which a share has wrong labels."""
    parts = list(real.batches("train"))
    x, labels = (torch.cat([batch[name] for batch in parts]) for name in ("real", "label"))
    labels = torch.where(torch.arange(len(x)) < wrong * len(x), (labels + 1) % 10, labels)

    def labelled(n: int) -> Iterator[tuple[Tensor, Tensor]]:
        yield x[:300], labels[:300]
        yield x[300:n], labels[300:n]

    return Evaluation(real, lambda n: [x[:n]], labelled=labelled)


def test_downstream_and_linear_probe_on_digits(tmp_path: Path) -> None:
    real = real_of(DIGITS, tmp_path)
    found = Downstream(Pixels(), 1200)(labelled_digits(real))
    assert found["downstream_generated_pixels"] == found["downstream_real_pixels"] > 0.9
    assert LinearProbe(Pixels(), 1200)(labelled_digits(real))["linear_probe_pixels"] == found["downstream_real_pixels"]
    wrong = Downstream(Pixels(), 1200)(labelled_digits(real, 0.9))
    assert wrong["downstream_generated_pixels"] < 0.2
    assert wrong["downstream_generated_pixels"] < wrong["downstream_both_pixels"] < wrong["downstream_real_pixels"]
    protocol = LinearProbe(Pixels(), 1000).protocol(labelled_digits(real))
    assert (protocol.samples, protocol.real, protocol.settings["held_out samples"]) == (None, 1000, 597)


def test_probes_of_poor_data(tmp_path: Path) -> None:
    x, labels = torch.zeros(20, 3), torch.arange(20) % 2
    assert probe_accuracy([(x, labels)], (x, labels)) == 0.5, "nothing to learn from"
    assert probe_accuracy([(x, torch.ones(20).long())], (x, labels)) == 0.5, "one class alone"
    for metric in (Downstream(Pixels()), LinearProbe(Pixels())):
        with pytest.raises(ValueError, match="needs a dataset with labels and a held-out part"):
            metric.check(Digits(8))
        metric.check(DIGITS)


def test_parzen_of_the_truth_is_its_entropy() -> None:
    """E log N(x; μ, σ²) = -log(σ √(2πe)), the most that any density reaches."""
    gaussian = Gaussian1d()
    torch.manual_seed(2)
    made = gaussian.sample(3000, torch.device("cpu"))["real"]
    best = -math.log(0.5 * math.sqrt(2 * math.pi * math.e))
    found = Parzen(3000, 500)(evaluation_of(made, gaussian))["parzen"]
    assert found == pytest.approx(best, abs=0.08)
    for worse in (made + 1, (made - 4) / 5 + 4, torch.full((500, 1), 4.0)):
        assert Parzen(len(worse), 500)(evaluation_of(worse, gaussian))["parzen"] < found - 0.1


def test_parzen_by_hand() -> None:
    """Two kernels of width 2 at 0 and 3, seen from 1, in the plane."""
    generated, x = torch.tensor([[0.0, 0], [3, 0]]), torch.tensor([[1.0, 0]])
    wanted = math.log((math.exp(-1 / 8) + math.exp(-4 / 8)) / 2 / (2 * math.pi * 4))
    assert parzen_log_likelihood(x, generated, torch.tensor([2.0]).double()).item() == pytest.approx(wanted)
    with pytest.raises(ValueError, match="one and two dimensions"):
        Parzen().check(Digits(8))
    assert math.isnan(Parzen(3)(evaluation_of(torch.tensor([[0.0], [math.inf], [1]]), Gaussian1d()))["parzen"])


def noise_pictures(n: int, seed: int = 0, size: int = 16) -> Tensor:
    return (
        (torch.randn(n, 3, size, size, generator=torch.Generator().manual_seed(seed)) * 30 + 128).clamp(0, 255).byte()
    )


def test_parzen_needs_a_sample_for_the_width_and_one_to_judge(tmp_path: Path) -> None:
    np.save(tmp_path / "two.npy", np.ones((2, 2)))
    real = real_of(Array(str(tmp_path / "two.npy"), 2), tmp_path, limit=1)
    with pytest.raises(UserError, match="parzen needs 2 or more real samples"):
        Parzen().prepare(real)


def test_white_noise_has_a_flat_spectrum_and_a_wave_one_frequency() -> None:
    found = spectrum([noise_pictures(1000), noise_pictures(500, 1)])
    assert torch.allclose(found.power / found.power.mean(), torch.ones(len(found.power)).double(), atol=0.1)
    assert found.frequency[-1] == pytest.approx(math.sqrt(0.5), abs=1 / 32)
    wave = (torch.cos(2 * math.pi * 4 / 16 * torch.arange(16)) * 100 + 128).round().byte().expand(2, 1, 16, 16)
    power = spectrum([wave]).power
    assert power.argmax() + 1 == 4
    assert power[3] > 1000 * power[torch.arange(len(power)) != 3].max()


def test_a_checkerboard_and_a_blur_are_off_in_the_upper_third() -> None:
    real = noise_pictures(500)
    board = (torch.arange(16)[:, None] + torch.arange(16)).remainder(2) * 60 - 30
    blur = F.avg_pool2d(F.pad(real.float(), (1, 1, 1, 1), mode="circular"), 3, 1).byte()
    alike, more, less = (
        upper_third(spectrum([x]), spectrum([real]))
        for x in (noise_pictures(500, 1), (real.int() + board).clamp(0, 255).byte(), blur)
    )
    assert alike.abs().mean() < 0.1
    assert more.mean() > 0.3
    assert less.mean() < -1


def test_the_spectrum_of_digits(tmp_path: Path) -> None:
    real = real_of(DIGITS, tmp_path)
    fresh = torch.cat([batch["real"] for batch in real.batches("held_out")])
    metric = SpectrumError(597)
    found = metric(Evaluation(real, lambda n: [fresh]))
    assert abs(found["spectrum_excess"]) <= found["spectrum_error"] < 0.15
    noisy = metric(Evaluation(real, lambda n: [fresh + torch.randn_like(fresh) * 0.3]))
    assert noisy["spectrum_excess"] > 0.3
    black = metric(Evaluation(real, lambda n: [torch.full((n, 1, 8, 8), -1.0)]))
    assert black["spectrum_excess"] == -black["spectrum_error"] < -2
    assert math.isnan(metric(Evaluation(real, lambda n: [fresh * math.nan]))["spectrum_error"])
    with pytest.raises(ValueError, match="needs pictures of 8 pixels or more"):
        metric.check(Ring())
