"""Tricks on what the discriminator is shown: noise, augmentation, packs."""

from __future__ import annotations

import pytest
import torch
from bare import batch_of
from conftest import config, round_of
from torch import Tensor, nn

from gantrain.commands.assembly import build_game
from gantrain.errors import UserError
from gantrain.games import Game
from gantrain.training.rounds import Progress
from gantrain.tricks import DiffAugment, InstanceNoise
from gantrain.turns import Batch, Samples, TurnPlan

POINTS = ["dataset=ring8", "loss=nonsaturating"]
PICTURES = ["dataset=digits", "model=mlp", "loss=nonsaturating"]


def inputs_of(game: Game, x: Tensor, step: int = 0) -> dict[str, Tensor]:
    """What D is shown where real and fake samples are both `x`: in its own turn, and in the generator's."""
    batch = Batch({"real": x}, {}, torch.tensor(step))
    with torch.no_grad():
        own = game.discriminator_turn("discriminator", Samples(x), batch).comparisons["discriminator"]
        others = game.generator_turn("generator", {"discriminator": Samples(x)}, batch).comparisons["discriminator"]
    assert own.real is not None
    return {"real": own.real.samples.x, "fake": own.fake.samples.x, "generator": others.fake.samples.x}


def test_instance_noise_falls_linearly_to_none_on_real_and_fake_alike() -> None:
    torch.manual_seed(0)
    words = ["tricks=[instance_noise]", "tricks.instance_noise.std=0.5", "tricks.instance_noise.steps=100"]
    game = build_game(config(*POINTS, *words))
    x = torch.randn(10_000, 2)
    for step, std in ((0, 0.5), (50, 0.25), (90, 0.05), (100, 0.0), (150, 0.0)):
        noises = {kind: y - x for kind, y in inputs_of(game, x, step).items()}
        for noise in noises.values():
            assert noise.std().item() == pytest.approx(std, rel=0.03)
            assert noise.mean().item() == pytest.approx(0, abs=0.02)
        assert step >= 100 or not torch.equal(noises["real"], noises["fake"])


def test_instance_noise_is_gone_at_the_end_of_the_run() -> None:
    assert config(*POINTS, "tricks=[instance_noise]", "trainer.steps=77").tricks.instance_noise.steps == 77
    kept = InstanceNoise(std=0.5, steps=None)
    x = torch.zeros(10_000)
    assert kept.augment(x, Batch({}, {}, torch.tensor(10**6))).std().item() == pytest.approx(0.5, rel=0.03)
    for setting in ({"std": -0.1}, {"steps": 0}):
        with pytest.raises(ValueError, match=r"must be [01] or more"):
            InstanceNoise(**setting)


def test_real_and_fake_are_augmented_alike_and_not_together() -> None:
    torch.manual_seed(0)
    game = build_game(config(*PICTURES, "tricks=[diffaugment]"))
    x = (torch.rand(1, 1, 16, 16) + 0.5).expand(3000, -1, -1, -1)
    views = inputs_of(game, x)
    assert not torch.equal(views["real"], views["fake"])
    for view in views.values():
        assert view.mean().item() == pytest.approx(views["real"].mean().item(), abs=0.03)
        assert view.std().item() == pytest.approx(views["real"].std().item(), rel=0.03)
        torch.testing.assert_close(view.mean(0), views["real"].mean(0), rtol=0, atol=0.1)


@pytest.mark.parametrize("policy", ["color", "translation", "cutout"])
def test_the_gradient_passes_through_an_augmentation(policy: str) -> None:
    x = torch.randn(6, 3, 16, 16, requires_grad=True)
    view = DiffAugment([policy]).augment(x, batch_of())  # type: ignore[list-item]
    (gradient,) = torch.autograd.grad(view.sum(), x)
    assert view.shape == x.shape
    assert (gradient.flatten(1).abs().sum(1) > 0).all()
    if policy == "color":  # the sum changes only by brightness, which is added
        torch.testing.assert_close(gradient, torch.ones_like(x))
    else:  # each pixel is kept as it is, or lost
        assert set(gradient.unique().tolist()) == {0.0, 1.0}


def test_colours_keep_their_ranges() -> None:
    """Brightness moves the mean, contrast stretches the luma about it, saturation the rest beside that."""
    torch.manual_seed(0)
    x = torch.randn(1, 3, 8, 8).expand(4000, -1, -1, -1)
    view = DiffAugment(["color"]).augment(x, batch_of())

    def parts(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        grey = x.mean(1, keepdim=True)
        return x.mean((1, 2, 3)), grey.flatten(1).std(1), (x - grey).flatten(1).std(1)

    (mean, luma, chroma), (old_mean, old_luma, old_chroma) = parts(view), parts(x)
    brightness, contrast = mean - old_mean, luma / old_luma
    saturation = chroma / old_chroma / contrast
    for found, low, high in ((brightness, -0.5, 0.5), (contrast, 0.5, 1.5), (saturation, 0.0, 2.0)):
        assert found.min().item() == pytest.approx(low, abs=0.01)
        assert found.max().item() == pytest.approx(high, abs=0.01)
        assert found.mean().item() == pytest.approx((low + high) / 2, abs=0.04)


def test_translation_is_by_whole_pixels_within_an_eighth() -> None:
    x = torch.arange(1.0, 257.0).view(1, 1, 16, 16).expand(500, -1, -1, -1)
    moves = set()
    for view in DiffAugment(["translation"]).augment(x, batch_of())[:, 0]:
        row, column = (view > 0).nonzero()[0].tolist()
        top, left = divmod(int(view[row, column]) - 1, 16)
        down, right = row - top, column - left
        wanted = torch.zeros(16, 16)
        wanted[max(down, 0) : 16 + min(down, 0), max(right, 0) : 16 + min(right, 0)] = x[
            0, 0, max(-down, 0) : 16 + min(-down, 0), max(-right, 0) : 16 + min(-right, 0)
        ]
        assert torch.equal(view, wanted)
        moves.add((down, right))
    assert moves == {(down, right) for down in range(-2, 3) for right in range(-2, 3)}


def test_cutout_is_one_square_of_half_the_side() -> None:
    lost = DiffAugment(["cutout"]).augment(torch.ones(500, 3, 16, 16), batch_of()) == 0
    assert torch.equal(lost, lost[:, :1].expand(-1, 3, -1, -1))
    rows, columns = lost[:, 0].any(2), lost[:, 0].any(1)
    assert torch.equal(lost[:, 0], rows[:, :, None] & columns[:, None, :])
    for sides in (rows, columns):
        assert (sides.int().diff(dim=1).abs().sum(1) <= 2).all(), "the square is in one piece"
        assert (sides.sum(1).min(), sides.sum(1).max()) == (4, 8)  # its middle may lie on the border
    assert lost[:, 0].sum((1, 2)).max() == 64


def test_the_middle_of_a_cutout_is_any_pixel() -> None:
    """The reference code draws it from the 17 places 0 to 16: a row r is cut where it lies from r - 3 to r + 4."""
    torch.manual_seed(0)
    lost = DiffAugment(["cutout"]).augment(torch.ones(6000, 1, 16, 16), batch_of())[:, 0] == 0
    wanted = [len([m for m in range(17) if r - 3 <= m <= r + 4]) / 17 for r in range(16)]
    for sides in (lost.any(2), lost.any(1)):
        assert sides.float().mean(0).tolist() == pytest.approx(wanted, abs=0.025)
    both = (lost.any(2)[:, 0] & lost.any(1)[:, 0]).float().mean().item()
    assert both == pytest.approx((5 / 17) ** 2, abs=0.02), "rows and columns are drawn apart"


@pytest.mark.parametrize("trick", ["diffaugment", "ada"])
def test_points_cannot_be_augmented(trick: str) -> None:
    with pytest.raises(UserError, match=f"{trick} augments pictures"):
        build_game(config(*POINTS, f"tricks=[{trick}]"))


def test_a_pack_holds_samples_that_follow_each_other() -> None:
    cfg = config("dataset=digits", "model=dcgan", "loss=nonsaturating", "tricks=[packing]", "tricks.packing.m=4")
    game = build_game(cfg)
    assert (list(cfg.data.shape), list(cfg.data.shown)) == ([1, 16, 16], [4, 16, 16])
    first = next(m for m in game.get_submodule("discriminator").modules() if isinstance(m, nn.Conv2d))
    assert first.in_channels == 4
    x = torch.randn(12, 1, 16, 16)
    packs = game.discriminator_inputs(Samples(x), batch_of()).x
    assert packs.shape == (3, 4, 16, 16)
    for k, pack in enumerate(packs):
        assert torch.equal(pack, x[4 * k : 4 * k + 4, 0])
    game.terms("discriminator", Batch({"real": x}, game.latents(12), torch.tensor(0)))
    assert game.observed["real"].shape == game.observed["fake"].shape == (3,)


def test_packs_of_colours_and_of_points() -> None:
    game = build_game(config(*POINTS, "tricks=[packing]", "tricks.packing.m=3", "trainer.batch_size=6"))
    x = torch.randn(6, 2)
    assert torch.equal(game.discriminator_inputs(Samples(x), batch_of()).x, x.view(2, 6))
    rgb = torch.randn(6, 3, 2, 2)
    assert torch.equal(game.tricks.pack(Samples(rgb)).x[1, 3:6], rgb[4])


def test_views_come_before_the_folding_whatever_the_order() -> None:
    x = torch.randn(8, 1, 16, 16)
    torch.manual_seed(0)
    wanted = DiffAugment().augment(x, batch_of()).view(4, 2, 16, 16)
    for names in ("[packing,diffaugment]", "[diffaugment,packing]"):
        game = build_game(config(*PICTURES, f"tricks={names}"))
        torch.manual_seed(0)
        assert torch.equal(game.discriminator_inputs(Samples(x), batch_of()).x, wanted)


def test_a_batch_that_is_not_whole_packs_is_refused() -> None:
    with pytest.raises(UserError, match=r"7 samples are not whole packs of 2: make trainer"):
        build_game(config(*POINTS, "tricks=[packing]", "trainer.batch_size=7"))
    with pytest.raises(UserError, match="3 samples are not whole packs of 2"):
        build_game(config(*POINTS, "tricks=[packing]", "trainer.batch_size=6", "trainer.accumulate=2"))
    with pytest.raises(UserError, match="m must be 2 or more"):
        config(*POINTS, "tricks=[packing]", "tricks.packing.m=1")


@pytest.mark.parametrize(
    "words",
    [
        ["tricks=[minibatch_stddev,packing]", "trainer.batch_size=12"],  # six packs are no groups of four
        ["tricks=[minibatch_discrimination,packing]", "tricks.minibatch_discrimination.group_size=4",
         "trainer.batch_size=12"],
        ["tricks=[virtual_batch_norm,packing]", "tricks.virtual_batch_norm.players=[discriminator]",
         "tricks.virtual_batch_norm.size=9", "model.discriminator.norm=batch"],
    ],
    ids=["stddev", "discrimination", "reference"],
)  # fmt: skip
def test_groups_and_references_that_are_not_whole_packs_are_refused(words: list[str]) -> None:
    with pytest.raises(UserError, match=r"packs|groups"):
        round_of("dataset=digits", "model=mlp", "loss=nonsaturating", *words).play(Progress())


def test_the_gradient_penalty_of_a_pack_is_that_of_its_whole_gradient() -> None:
    """A linear critic of packs has the gradient w everywhere, over all members at once."""
    words = ["loss=wgan_gp", "model.discriminator.hidden=[]", "tricks=[packing]", "tricks.packing.m=3"]
    game = build_game(config("dataset=ring8", *words, "trainer.batch_size=6"))
    batch = Batch({"real": torch.randn(6, 2)}, game.latents(6), torch.tensor(0), plan=TurnPlan(("gradient_penalty",)))
    penalty = game.terms("discriminator", batch)["gradient_penalty"].item()
    w = game.get_submodule("discriminator.head").weight
    assert isinstance(w, Tensor)
    assert w.shape == (1, 6)
    assert penalty == pytest.approx(10 * (w.norm().item() - 1) ** 2, rel=1e-5)
