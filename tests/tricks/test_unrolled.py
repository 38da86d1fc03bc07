"""The generator's look ahead, against games whose unrolled discriminator has a closed form."""

from __future__ import annotations

import copy

import pytest
import torch
from conftest import config, round_of
from torch import Tensor

from gantrain.commands.assembly import build_game
from gantrain.games import Batch, Game
from gantrain.training.round import Progress
from gantrain.tricks import Trick, Unrolled

LINEAR = ["dataset=ring8", "model.generator.hidden=[]", "model.discriminator.hidden=[]"]
DCGAN = ["dataset=digits", "model=dcgan", "model.generator.width=4", "model.discriminator.width=4"]


def unrolled(steps: int, lr: float) -> list[str]:
    return ["tricks=[unrolled]", f"tricks.unrolled.steps={steps}", f"tricks.unrolled.lr={lr}"]


def batch_for(game: Game, real: Tensor) -> Batch:
    return Batch({"real": real}, game.latents(len(real)), torch.tensor(0), game.phase("generator", 0))


def parts(game: Game) -> tuple[Tensor, Tensor, Tensor]:
    """The bias of a linear generator, and weight and bias of a linear discriminator."""
    bias = game.get_submodule("generator.net.0").bias
    head = game.get_submodule("discriminator.head")
    assert isinstance(bias, Tensor)
    assert isinstance(head.weight, Tensor)
    assert isinstance(head.bias, Tensor)
    return bias, head.weight[0].detach(), head.bias.detach()


@pytest.mark.parametrize("steps", [1, 4])
def test_a_linear_critic_unrolled(steps: int) -> None:
    """D = w·x + b descends on w·(f - r) for means f and r, so that w after K steps is w - Kη(f - r), and b stays.

    G's loss, minus D's, is then -w·(f - r) + Kη‖f - r‖². Its slope in f is -w + 2Kη(f - r), of which half of the second
    part runs through the steps.
    """
    torch.manual_seed(0)
    game = build_game(config(*LINEAR, "loss=wgan", *unrolled(steps, lr=0.1)))
    batch = batch_for(game, torch.randn(16, 2) + 2)
    term = game.terms("generator", batch)["adversarial"]
    bias, w, _ = parts(game)
    (slope,) = torch.autograd.grad(term, [bias])
    fake, real = game.generate(batch.latent).samples.mean(0).detach(), batch.data["real"].mean(0)
    far = steps * 0.1
    assert term.item() == pytest.approx((-w @ (fake - real) + far * (fake - real).square().sum()).item(), rel=1e-5)
    torch.testing.assert_close(slope, -w + 2 * far * (fake - real))


def test_a_linear_least_squares_discriminator_unrolled() -> None:
    """Gradient descent on a quadratic: θ_K = θ* + (I - ηH)^K (θ - θ*), which moves with the fakes as H and θ* do."""
    steps, lr = 5, 0.3
    torch.manual_seed(0)
    game = build_game(config(*LINEAR, "loss=lsgan", *unrolled(steps, lr)))
    batch = batch_for(game, torch.randn(16, 2) * 0.5 + 1)
    term = game.terms("generator", batch)["adversarial"]
    bias, w, b = parts(game)
    (slope,) = torch.autograd.grad(term, [bias])

    made = game.generate(batch.latent).samples.detach().double()
    shift = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    one = torch.ones(16, 1, dtype=torch.float64)
    real, fake = torch.cat([batch.data["real"].double(), one], 1), torch.cat([made + shift, one], 1)
    theta = torch.cat([w, b]).double()
    curvature = (real.T @ real + fake.T @ fake) / 16
    best = torch.linalg.solve(curvature, real.mean(0))
    shrink = torch.linalg.matrix_power(torch.eye(3, dtype=torch.float64) - lr * curvature, steps)
    after = best + shrink @ (theta - best)
    wanted = -0.5 * ((real @ after - 1).square() + (fake @ after).square()).mean()
    (wanted_slope,) = torch.autograd.grad(wanted, [shift])
    assert term.item() == pytest.approx(wanted.item(), rel=1e-4)
    torch.testing.assert_close(slope.double(), wanted_slope, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("words", [["dataset=ring8", "loss=nonsaturating"], ["dataset=ring8", "loss=r3"]])
def test_after_tiny_steps_the_generator_maximises_the_loss_of_the_discriminator(words: list[str]) -> None:
    ahead = build_game(config(*words, *unrolled(1, 1e-12)))
    plain = build_game(config(*words, "tricks=[]"))
    batch = batch_for(plain, torch.randn(8, 2))
    loss = plain.contest("discriminator", plain.generate(batch.latent), batch).terms["adversarial"]
    found = []
    for game, term in ((ahead, ahead.terms("generator", batch)["adversarial"]), (plain, -loss)):
        found.append([term, *torch.autograd.grad(term, list(game.get_submodule("generator").parameters()))])
    torch.testing.assert_close(*found)


@pytest.mark.parametrize("penalty", ["R1", "R2"])
@pytest.mark.parametrize("steps", [1, 3])
def test_the_steps_descend_on_the_whole_loss_of_the_discriminator(steps: int, penalty: str) -> None:
    """For D = w·x, R1 and R2 are ½γ‖w‖², and a step goes to w - η((f - r) + γw)."""
    added = f"+loss.penalties.it={{_target_: gantrain.losses.{penalty}, weight: 3.0}}"
    words = [*LINEAR, "loss=wgan", "loss.per_sample=true", added]
    game = build_game(config(*words, *unrolled(steps, lr=0.1)))
    batch = batch_for(game, torch.randn(16, 2))
    _, w, _ = parts(game)
    fake, real = game.generate(batch.latent).samples.mean(0).detach(), batch.data["real"].mean(0)
    for _ in range(steps):
        w = w - 0.1 * (fake - real + 3 * w)
    wanted = -w @ (fake - real)
    assert game.terms("generator", batch)["adversarial"].item() == pytest.approx(wanted.item(), rel=1e-4)


def test_the_discriminator_stays_as_it_is() -> None:
    """Weights, power iterations, running statistics, other tricks' averages: the steps work on copies."""
    words = [*DCGAN, "loss=nonsaturating", "trainer.batch_size=8", "tricks=[spectral_norm,lecam,ada,unrolled]"]
    round, progress = round_of(*words), Progress()
    round.play(progress)
    game, trick = round.game, round.game.tricks["unrolled"]
    assert isinstance(trick, Trick)
    batch = batch_for(game, torch.randn(8, 1, 16, 16))
    context = game.reply("generator", game.generate(batch.latent), batch)
    before = copy.deepcopy(game.state_dict())
    assert {name.rpartition(".")[2] for name in before} >= {"running_mean", "num_batches_tracked", "_u", "p", "signs"}
    trick.terms("generator", context)["adversarial"].backward()
    after = game.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_the_generators_turn_leaves_the_discriminator_and_its_optimizer() -> None:
    words = [*DCGAN, "loss=nonsaturating", "trainer.batch_size=8", "tricks=[unrolled]"]
    round, progress = round_of(*words), Progress()
    round.play(progress)
    player = round.players["discriminator"]
    before = copy.deepcopy([*player.parameters]), copy.deepcopy(player.optimizer.state_dict()["state"])
    moving = [p.clone() for p in round.players["generator"].parameters]
    turn = next(turn for turn in round.game.turns if turn.player == "generator")
    assert turn.real, "the steps need real samples"
    round._turn(turn, 1, progress, observe=False)
    assert all(torch.equal(a, b) for a, b in zip(before[0], player.parameters, strict=True))
    now = player.optimizer.state_dict()["state"]
    assert all(torch.equal(before[1][k][name], now[k][name]) for k in now for name in now[k])
    assert any(not torch.equal(a, b) for a, b in zip(moving, round.players["generator"].parameters, strict=True))


@pytest.mark.parametrize("setting", [{"steps": 0}, {"lr": 0.0}, {"lr": -1.0}])
def test_settings_are_checked(setting: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"must be (1 or more|positive)"):
        Unrolled(**setting)  # type: ignore[arg-type]
