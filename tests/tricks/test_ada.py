"""Adaptive discriminator augmentation: what it does to images, and when it gets stronger."""

from __future__ import annotations

import math
from typing import Literal

import pytest
import torch
from bare import DISCRIMINATOR, GENERATOR, Bare, batch_of, context_of, scored
from conftest import config
from torch import Tensor

from gantrain.commands.assembly import build_game
from gantrain.errors import UserError
from gantrain.losses import AdversarialLoss, LeastSquares, RelativisticAverage, RelativisticPaired, Wasserstein
from gantrain.tricks import ADA
from gantrain.tricks.ada import hue_rotation, resample, rotation, scaling, translation

Group = Literal["blit", "geometry", "colour"]


def ada(p: float = 1.0, only: Group | None = None) -> ADA:
    trick = ADA(augmentations=[only] if only else None)
    trick.p.fill_(p)
    return trick


def turn(game: Bare, trick: ADA, real: Tensor, samples: int = 32) -> float:
    """One turn of D with these logits for real samples; the strength after it."""
    trick.terms(DISCRIMINATOR, context_of(game, scored(real), scored(-real)))
    trick.after_update(DISCRIMINATOR, game, samples)
    return trick.p.item()


def test_the_strength_follows_the_sign_of_the_logits() -> None:
    """Over two turns of 32 samples it moves by 64 of 1,000 images: up above the target 0.6, else down."""
    trick = ADA(target=0.6, interval=2, images=1000)
    game = Bare(trick)
    sure = torch.full((10,), 5.0)
    unsure = torch.tensor([5.0] * 7 + [-0.1] * 3)  # the mean sign is 0.4
    assert [turn(game, trick, sure) for _ in range(4)] == pytest.approx([0, 0.064, 0.064, 0.128])
    assert [turn(game, trick, unsure) for _ in range(2)] == pytest.approx([0.128, 0.064])
    turn(game, trick, sure)
    assert turn(game, trick, torch.tensor([1.0] * 8 + [-1.0] * 2)) == pytest.approx(0.128), "(1 + 0.6)/2 is above"
    turn(game, trick, sure)
    assert turn(game, trick, -sure) == pytest.approx(0.064), "a sign counts from both turns of an interval"


def test_the_strength_stays_a_probability() -> None:
    trick = ADA(interval=1, images=50)
    game = Bare(trick)
    logits = torch.ones(4)
    assert [turn(game, trick, logits) for _ in range(3)] == pytest.approx([0.64, 1, 1])
    assert [turn(game, trick, -logits) for _ in range(3)] == pytest.approx([0.36, 0, 0])


@pytest.mark.parametrize(("interval", "samples"), [(1, 16), (4, 8), (2, 64)])
def test_the_strength_goes_by_images(interval: int, samples: int) -> None:
    """128 images of 1,000 are as much whatever the batch and the interval."""
    trick = ADA(interval=interval, images=1000)
    game = Bare(trick)
    for _ in range(128 // samples):
        turn(game, trick, torch.ones(samples), samples)
    assert trick.p.item() == pytest.approx(0.128)


def test_only_real_logits_in_the_discriminators_turn_count() -> None:
    trick = ADA(interval=1, images=100)
    game = Bare(trick)
    for _ in range(3):
        trick.terms(GENERATOR, context_of(game, scored(torch.ones(4)), scored(torch.ones(4))))
        trick.after_update(GENERATOR, game, 32)
    assert trick.p.item() == 0
    assert turn(game, trick, torch.ones(4)) == pytest.approx(0.32), "fakes had the other sign"


def test_the_sign_is_that_against_the_threshold_of_the_loss() -> None:
    trick = ADA(interval=1, images=100)
    game = Bare(trick, loss=LeastSquares())  # the middle of its targets 0 and 1
    assert turn(game, trick, torch.full((4,), 0.6)) == pytest.approx(0.32)
    assert turn(game, trick, torch.full((4,), 0.4)) == 0


@pytest.mark.parametrize("loss", [Wasserstein(), RelativisticPaired(), RelativisticAverage()])
def test_a_loss_without_a_sign_is_refused(loss: AdversarialLoss) -> None:
    with pytest.raises(ValueError, match="ada reads the sign of D's logits"):
        Bare(ADA(), loss=loss)


def test_what_else_is_refused() -> None:
    with pytest.raises(UserError, match="use a loss such as nonsaturating"):
        build_game(config("dataset=digits", "model=dcgan", "loss=wgan_gp", "tricks=[ada]"))
    for setting in ({"target": 1.5}, {"interval": 0}, {"images": 0}):
        with pytest.raises(ValueError, match="must be"):
            ADA(**setting)


def test_without_strength_images_stay_as_they_are() -> None:
    for channels in (1, 3):
        x = torch.rand(5, channels, 16, 16) * 2 - 1
        torch.testing.assert_close(ada(p=0).augment(x, batch_of()), x, rtol=0, atol=1e-5)


@pytest.mark.parametrize("only", ["blit", "geometry", "colour", None])
def test_the_gradient_passes_through_to_every_image(only: Group | None) -> None:
    x = torch.randn(16, 3, 16, 16, requires_grad=True)
    view = ada(only=only).augment(x, batch_of())
    (gradient,) = torch.autograd.grad(view.square().sum(), x)
    assert gradient.isfinite().all()
    assert (gradient.flatten(1).abs().sum(1) > 0).all()


def test_matrices_by_hand() -> None:
    half, two, three = torch.tensor([math.pi / 2]), torch.tensor([2.0]), torch.tensor([3.0])
    point = torch.tensor([1.0, 5.0, 1.0])
    for matrix, wanted in (
        (scaling(two, three), [2.0, 15.0, 1.0]),
        (rotation(half), [-5.0, 1.0, 1.0]),
        (translation(two, three), [3.0, 8.0, 1.0]),
    ):
        torch.testing.assert_close(matrix[0] @ point, torch.tensor(wanted))


def test_images_by_hand() -> None:
    x = torch.randn(1, 2, 8, 8)
    one, zero = torch.ones(1), torch.zeros(1)
    mirrored = resample(x, scaling(-one, one))
    turned = resample(x, rotation(one * math.pi / 2))
    moved = resample(x, translation(one * 2 * 2 / 8, zero))  # two pixels, in halves of the side
    torch.testing.assert_close(mirrored, x.flip(-1))
    torch.testing.assert_close(turned, x.rot90(1, (-2, -1)), rtol=0, atol=1e-5)
    torch.testing.assert_close(moved[..., :6], x[..., 2:])
    torch.testing.assert_close(moved[..., 6:], x[..., 6:].flip(-1))  # the border is reflected


def test_a_turn_keeps_shapes_in_pictures_that_are_not_square() -> None:
    """A bar 2 high and 8 wide becomes one 8 high and 2 wide, though the picture is wider than high."""
    x, wanted = torch.zeros(1, 1, 16, 24), torch.zeros(1, 1, 16, 24)
    x[..., 7:9, 8:16] = 1
    wanted[..., 4:12, 11:13] = 1
    turned = resample(x, rotation(torch.tensor([math.pi / 2]), 16 / 24))
    torch.testing.assert_close(turned, wanted, rtol=0, atol=1e-5)


def test_hue_keeps_greys_and_lengths() -> None:
    angle = torch.tensor([0.0, 0.4, 2 * math.pi / 3, math.pi])
    turns = hue_rotation(angle)
    torch.testing.assert_close(turns @ torch.ones(3), torch.ones(4, 3))
    torch.testing.assert_close(turns @ turns.mT, torch.eye(3).expand(4, 3, 3), rtol=0, atol=1e-6)
    torch.testing.assert_close(turns[2] @ torch.tensor([1.0, 0, 0]), torch.tensor([0.0, 1, 0]), rtol=0, atol=1e-6)


def test_blitting_moves_whole_pixels_in_every_way() -> None:
    torch.manual_seed(0)
    x = torch.arange(256.0).view(1, 1, 16, 16).expand(400, -1, -1, -1)
    trick = ada(only="blit")
    view = trick.augment(x, batch_of())
    torch.testing.assert_close(view, view.round(), rtol=0, atol=0.01)
    place = trick._placement(x)
    turns = {tuple(m[:2, :2].round().flatten().int().tolist()) for m in place}
    assert len(turns) == 8, "four quarters, mirrored or not"
    pixels = place[:, :2, 2] * 8
    torch.testing.assert_close(pixels, pixels.round(), rtol=0, atol=1e-4)
    assert {abs(round(p)) for p in pixels.flatten().tolist()} == {0, 1, 2}


def test_geometry_has_the_papers_spreads() -> None:
    """The determinant is the squared size; the singular values part by the squared stretch; every angle comes up."""
    torch.manual_seed(0)
    place = ada(only="geometry")._placement(torch.empty(20_000, 1, 16, 16))
    inside = place[:, :2, :2].double()
    sizes = torch.linalg.det(inside).log2() / 2
    values = torch.linalg.svdvals(inside)
    stretches = (values[:, 0] / values[:, 1]).log2() / 2
    assert sizes.std().item() == pytest.approx(0.2, rel=0.03)
    assert stretches.square().mean().sqrt().item() == pytest.approx(0.2, rel=0.03)
    angles = torch.atan2(inside[:, 1, 0] - inside[:, 0, 1], inside[:, 0, 0] + inside[:, 1, 1])
    assert angles.cos().mean().item() == pytest.approx(0, abs=0.03)
    assert angles.abs().mean().item() == pytest.approx(math.pi / 2, rel=0.03)
    moves = torch.linalg.solve(inside, place[:, :2, 2].double()[..., None])
    assert moves.std().item() == pytest.approx(2 * 0.125, rel=0.03), "an eighth of the side, in halves of it"


@pytest.mark.parametrize("p", [0.3, 0.7])
def test_a_share_p_of_the_images_is_turned(p: float) -> None:
    """Two rotations, before and after the stretch, are one augmentation."""
    torch.manual_seed(0)
    place = ada(p, only="geometry")._placement(torch.empty(20_000, 1, 16, 16))
    assert (place[:, 0, 1] != 0).float().mean().item() == pytest.approx(p, abs=0.015)
    assert (place[:, 0, 2] != 0).float().mean().item() == pytest.approx(p, abs=0.015)


def colours(p: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Brightness, factor of greys, contrast times saturation, and cosine of hue of 20,000 images.

    A pixel x becomes A·(x + b): black shows b, greys and the trace and determinant of A the others.
    """
    torch.manual_seed(0)
    x = torch.cat([torch.zeros(3, 1), torch.eye(3)], 1).view(1, 3, 1, 4).expand(20_000, -1, -1, -1)
    view = ada(p, only="colour").augment(x, batch_of()).squeeze(2).double()
    black, a = view[:, :, 0], view[:, :, 1:] - view[:, :, :1]
    grey = a.sum(2).mean(1)
    torch.testing.assert_close(a.sum(2), grey[:, None].expand(-1, 3), rtol=1e-4, atol=1e-4)
    rest = (torch.linalg.det(a) / grey).clamp_min(0).sqrt()
    trace = a.diagonal(dim1=1, dim2=2).sum(1)
    return black.mean(1) / grey, grey, rest, (trace - grey) / (2 * rest)


def test_colours_have_the_papers_spreads() -> None:
    brightness, grey, rest, cosine = colours(1.0)
    assert brightness.std().item() == pytest.approx(0.2, rel=0.03)
    assert (grey < 0).double().mean().item() == pytest.approx(0.5, abs=0.015), "the luma flip"
    contrast = grey.abs().log2()
    assert contrast.std().item() == pytest.approx(0.5, rel=0.03)
    assert (rest.log2() - contrast).std().item() == pytest.approx(1.0, rel=0.03), "saturation"
    assert cosine.mean().item() == pytest.approx(0, abs=0.02)
    assert cosine.square().mean().item() == pytest.approx(0.5, abs=0.02), "every hue comes up"


def test_each_change_of_colour_happens_to_a_share_p() -> None:
    brightness, grey, rest, cosine = colours(0.4)
    for changed in (brightness.abs() > 1e-6, (grey.abs() - 1).abs() > 1e-6, (rest / grey.abs() - 1).abs() > 1e-5):
        assert changed.double().mean().item() == pytest.approx(0.4, abs=0.015)
    assert (cosine < 0.99).double().mean().item() == pytest.approx(0.4 * (1 - math.acos(0.99) / math.pi), abs=0.015)
    assert (grey < 0).double().mean().item() == pytest.approx(0.2, abs=0.015)
