"""Where a game takes its penalties: at which samples, with what conditions, in which precision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from conftest import config
from small import fakes_of
from torch import Tensor, nn

from gantrain.commands.assembly import build_game
from gantrain.errors import UserError
from gantrain.games import Game
from gantrain.tricks import Trick
from gantrain.turns import Batch, Samples, TurnPlan

LINEAR = ["dataset=ring8", "model.discriminator.hidden=[]", "trainer.batch_size=12"]
DCGAN = ["dataset=digits", "model=dcgan", "model.generator.width=4", "model.discriminator.width=4"]
WEIGHT = {"r1": 0.5 * 0.02, "r3": 0.5 * 0.02, "wgan_gp": 10.0, "dragan": 10.0}
"""What a penalty of norm 1 costs, or of a norm 1 away from the target."""


def penalties(game: Game, data: dict[str, Tensor], n: int = 12) -> dict[str, float]:
    """The terms of the penalties in a discriminator's turn."""
    batch = Batch(data, game.latents(n), torch.tensor(0), game.plan(game.discriminators[0], 0))
    terms = game.terms(game.discriminators[0], batch)
    return {name: terms[name].item() for name in game.loss.penalties}


def slope_of_linear(game: Game) -> Tensor:
    weight = game.get_submodule("discriminator.head").weight
    assert isinstance(weight, Tensor)
    return weight.detach().norm()


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("loss", WEIGHT)
def test_penalties_are_float32_in_either_precision(loss: str, precision: str) -> None:
    """bf16 knows a weight to three digits; the slope of a linear D is that of its weights to six."""
    torch.manual_seed(0)
    game = build_game(config(*LINEAR, f"loss={loss}", "tricks=[]"))
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        found = penalties(game, {"real": torch.randn(12, 2)})
    norm = slope_of_linear(game).item()
    for value in found.values():
        assert value == pytest.approx(WEIGHT[loss] * (norm**2 if loss in ("r1", "r3") else (norm - 1) ** 2), rel=1e-5)


class Doubled(Trick):
    """Shows D everything twice as large."""

    def augment(self, x: Tensor, batch: Batch) -> Tensor:
        return 2 * x


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize(("loss", "scale"), [("r1", 2.0), ("r3", 2.0), ("wgan_gp", 1.0), ("dragan", 1.0)])
def test_through_a_view_or_behind_it(loss: str, scale: float, precision: str) -> None:
    """R1 and R2 are taken at samples before any augmentation (Karras et al. 2020), the others on what D is shown."""
    game = build_game(config(*LINEAR, f"loss={loss}", "tricks=[]"))
    game.tricks.setup(game, {"doubled": Doubled()})
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        found = penalties(game, {"real": torch.randn(12, 2)})
    norm = scale * slope_of_linear(game).item()
    for value in found.values():
        assert value == pytest.approx(WEIGHT[loss] * (norm**2 if loss in ("r1", "r3") else (norm - 1) ** 2), rel=1e-5)


class Squared(Trick):
    """Shows D the square of every number."""

    def augment(self, x: Tensor, batch: Batch) -> Tensor:
        return x.square()


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_r1_looks_through_a_view_from_the_samples_before_it(precision: str) -> None:
    """The gradient of w·x² by x is 2wx, at each sample as it was before the view."""
    game = build_game(config(*LINEAR, "loss=r1", "tricks=[]"))
    game.tricks.setup(game, {"squared": Squared()})
    real = torch.randn(12, 2)
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        (found,) = penalties(game, {"real": real}).values()
    weight = game.get_submodule("discriminator.head").weight
    assert isinstance(weight, Tensor)
    slopes = 2 * real * weight.detach()
    assert found == pytest.approx(WEIGHT["r1"] * slopes.square().sum(1).mean().item(), rel=1e-5)


@pytest.mark.parametrize("trick", ["diffaugment", "ada"])
def test_r1_under_an_augmentation_is_that_of_the_pictures_before_it(trick: str) -> None:
    """As the reference code of Karras et al. 2020 does it: the sum of the logits, by the images that go in."""
    torch.manual_seed(0)
    game = build_game(config(*DCGAN, "loss=r1", f"tricks=[{trick}]"))
    if trick == "ada":
        game.get_buffer("tricks.ada.p").fill_(0.8)
    real = torch.rand(12, 1, 16, 16) * 2 - 1
    batch = Batch({"real": real}, game.latents(12), torch.tensor(0), game.plan("discriminator", 0))
    with torch.no_grad():
        made = fakes_of(game, batch)
    torch.manual_seed(1)
    term = game.discriminator_turn("discriminator", made, batch).terms["r1"]
    torch.manual_seed(1)
    x = real.clone().requires_grad_(True)
    logits = game.get_submodule("discriminator")(game.discriminator_inputs(Samples(x), batch).x)
    (gradient,) = torch.autograd.grad(logits.sum(), x)
    assert term.item() == pytest.approx(10 * 0.5 * gradient.square().sum((1, 2, 3)).mean().item(), rel=1e-4)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("loss", ["r1", "wgan_gp"])
def test_the_penalty_of_a_pack_is_that_of_its_whole_gradient(loss: str, precision: str) -> None:
    """A linear critic of packs has the gradient w everywhere, over all members at once."""
    words = [f"loss={loss}", "tricks=[packing]", "tricks.packing.m=3"]
    game = build_game(config(*LINEAR, *words))
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        (found,) = penalties(game, {"real": torch.randn(12, 2)}).values()
    norm = slope_of_linear(game).item()
    assert game.get_submodule("discriminator.head").weight.shape == (1, 6)  # type: ignore[union-attr]
    assert found == pytest.approx(WEIGHT[loss] * (norm**2 if loss == "r1" else (norm - 1) ** 2), rel=1e-5)


Verdict = Callable[..., tuple[Tensor, Tensor]]


def judging_by(game: Game, verdict: Callable[[Tensor, Tensor], Tensor]) -> Game:
    """The game with another function of sample and condition as its discriminator."""

    def score(x: Tensor, **conditions: Tensor) -> tuple[Tensor, Tensor]:
        (condition,) = conditions.values()
        return verdict(x, condition), x

    discriminator: Any = game.get_submodule("discriminator")
    discriminator.score = score
    return game


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("loss", WEIGHT)
def test_a_pair_of_sample_and_code_is_penalised_as_a_pair(loss: str, precision: str) -> None:
    game = build_game(config("dataset=ring8", "model=bigan", "networks@model=mlp", f"loss={loss}", "tricks=[]"))
    judging_by(game, lambda x, code: 2 * x.sum(1) - 3 * code.sum(1))
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        found = penalties(game, {"real": torch.randn(12, 2)})
    norm = (2 * 4 + 2 * 9) ** 0.5
    for value in found.values():
        assert value == pytest.approx(WEIGHT[loss] * (norm**2 if loss in ("r1", "r3") else (norm - 1) ** 2), rel=1e-5)


@pytest.mark.parametrize("loss", ["wgan_gp", "r3"])
def test_a_label_stays_with_its_samples(loss: str) -> None:
    """D(x, y) = w_y·x where real samples have the labels 0 and 1, and fakes 2 and 3 or 0 and 1."""
    w = torch.tensor([3.0, 5.0, 7.0, 11.0])
    words = ["dataset=ring8", "model=cgan", "networks@model=mlp", "model.conditioning=concat", f"loss={loss}"]
    game = judging_by(build_game(config(*words, "tricks=[]")), lambda x, label: w[label] * x[:, 0])
    labels, others = torch.arange(12) % 2, torch.arange(12) % 2 + (2 if loss == "r3" else 0)
    data = {"real": torch.randn(12, 2), "label": labels}
    latent = {"noise": torch.randn(12, 2), "label": others.flip(0)}
    names = tuple(game.loss.penalties)
    terms = game.terms("discriminator", Batch(data, latent, torch.tensor(0), TurnPlan(names)))
    if loss == "wgan_gp":
        assert terms["gradient_penalty"].item() == pytest.approx(10 * ((3 - 1) ** 2 + (5 - 1) ** 2) / 2)
    else:
        wanted = {"r1": 0.01 * (9 + 25) / 2, "r2": 0.01 * (49 + 121) / 2}
        assert {name: terms[name].item() for name in names} == pytest.approx(wanted)


@pytest.mark.parametrize("trick", ["minibatch_stddev", "minibatch_discrimination"])
def test_a_layer_that_shows_the_batch_has_its_place_under_a_penalty(trick: str) -> None:
    """StyleGAN2's recipe: the gradient of the sum of all logits by each sample, with what it does to the others'."""
    torch.manual_seed(0)
    model = ["dataset=digits", "model=mlp", "trainer.batch_size=8", "loss=r1"]
    game = build_game(config(*model, f"tricks=[{trick}]", f"tricks.{trick}.group_size=4"))
    real = torch.randn(8, 1, 16, 16)
    found = penalties(game, {"real": real}, n=8)["r1"]
    x = real.clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(game.get_submodule("discriminator")(x).sum(), x)
    assert found == pytest.approx(10 * 0.5 * gradient.square().sum((1, 2, 3)).mean().item(), rel=1e-4)


def test_batch_norm_has_none() -> None:
    with pytest.raises(UserError, match=r"batch norm: set model\.discriminator\.norm=layer"):
        build_game(config(*DCGAN, "loss=r1", "model.discriminator.norm=batch"))
    game = build_game(config(*DCGAN, "loss=r1", "tricks=[minibatch_stddev]"))
    assert not any(isinstance(m, nn.BatchNorm2d) for m in game.get_submodule("discriminator").modules())
