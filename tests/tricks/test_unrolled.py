"""The generator's look ahead, against games whose unrolled discriminator has a closed form."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from bare import DISCRIMINATOR, GENERATOR, begun
from conftest import config, round_of
from torch import Tensor

from gantrain.commands.assembly import build_game
from gantrain.games import Game
from gantrain.schedules import Scheduled
from gantrain.training.rounds import Progress
from gantrain.tricks import Trick, Unrolled
from gantrain.turns import Batch, Player, Samples, TurnPlan

LINEAR = ["dataset=ring8", "model.generator.hidden=[]", "model.discriminator.hidden=[]"]
DCGAN = ["dataset=digits", "model=dcgan", "model.generator.width=4", "model.discriminator.width=4"]


def unrolled(steps: int, lr: float) -> list[str]:
    return ["tricks=[unrolled]", f"tricks.unrolled.steps={steps}", f"tricks.unrolled.lr={lr}"]


def batch_for(game: Game, real: Tensor) -> Batch:
    return Batch({"real": real}, game.latents(len(real)), torch.tensor(0), game.plan("generator", 0))


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
    fake, real = game.generate(batch)["discriminator"].x.mean(0).detach(), batch.data["real"].mean(0)
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

    made = game.generate(batch)["discriminator"].x.detach().double()
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


def test_without_a_step_it_is_the_game_of_minimax() -> None:
    words = ["dataset=ring8", "loss=minimax"]
    ahead, plain = build_game(config(*words, *unrolled(0, 0.1))), build_game(config(*words, "tricks=[]"))
    batch = batch_for(plain, torch.randn(8, 2))
    found = [
        torch.autograd.grad(
            game.terms("generator", batch)["adversarial"], list(game.get_submodule("generator").parameters())
        )
        for game in (ahead, plain)
    ]
    torch.testing.assert_close(*found)


@pytest.mark.parametrize("words", [["dataset=ring8", "loss=nonsaturating"], ["dataset=ring8", "loss=r3"]])
def test_after_tiny_steps_the_generator_maximises_the_loss_of_the_discriminator(words: list[str]) -> None:
    ahead = build_game(config(*words, *unrolled(1, 1e-12)))
    plain = build_game(config(*words, "tricks=[]"))
    batch = batch_for(plain, torch.randn(8, 2))
    loss = plain.discriminator_turn("discriminator", plain.generate(batch)["discriminator"], batch).terms["adversarial"]
    found = []
    for game, term in ((ahead, ahead.terms("generator", batch)["adversarial"]), (plain, -loss)):
        found.append([term, *torch.autograd.grad(term, list(game.get_submodule("generator").parameters()))])
    torch.testing.assert_close(*found)


@pytest.mark.parametrize("penalty", ["R1", "R2"])
@pytest.mark.parametrize(("steps", "every"), [(1, 1), (3, 1), (5, 4), (5, 16)])
def test_the_steps_descend_on_the_whole_loss_of_the_discriminator(steps: int, every: int, penalty: str) -> None:
    """For D = w·x, R1 and R2 are ½γ‖w‖², and a step goes to w - η((f - r) + γw), however lazily that is paid."""
    added = f"+loss.penalties.it={{_target_: gantrain.losses.{penalty}, weight: 3.0, every: {every}}}"
    words = [*LINEAR, "loss=wgan", "loss.per_sample=true", added]
    game = build_game(config(*words, *unrolled(steps, lr=0.1)))
    batch = batch_for(game, torch.randn(16, 2))
    _, w, _ = parts(game)
    fake, real = game.generate(batch)["discriminator"].x.mean(0).detach(), batch.data["real"].mean(0)
    for _ in range(steps):
        w = w - 0.1 * (fake - real + 3 * w)
    wanted = -w @ (fake - real)
    assert game.terms("generator", batch)["adversarial"].item() == pytest.approx(wanted.item(), rel=1e-4)


@pytest.mark.parametrize("loss", ["wgan_gp", "r3", "dragan"])
def test_the_gradient_is_that_of_the_value(loss: str) -> None:
    """Where fakes move, so do the places at which the steps' penalties are taken: by central differences."""
    torch.manual_seed(0)
    words = ["dataset=ring8", "model.generator.hidden=[]", "model.discriminator.hidden=[8]", f"loss={loss}"]
    game = build_game(config(*words, "model.discriminator.activation=tanh", *unrolled(3, lr=0.2)))
    for penalty in game.loss.penalties.values():
        penalty.weight = Scheduled(3.0)
    batch = batch_for(game, torch.randn(16, 2))
    bias, _, _ = parts(game)

    def value(shift: float) -> Tensor:
        with torch.no_grad():
            bias[0] += shift
        torch.manual_seed(1)
        found = game.terms("generator", batch)["adversarial"]
        with torch.no_grad():
            bias[0] -= shift
        return found

    (slope,) = torch.autograd.grad(value(0.0), [bias])
    rise = (value(0.01) - value(-0.01)).item() / 0.02
    assert slope[0].item() == pytest.approx(rise, rel=2e-3, abs=1e-4)


class Stage(Trick):
    """Shows D everything as large as the phase that the turn is in."""

    def plan(self, player: Player, plan: TurnPlan) -> TurnPlan:
        return replace(plan, phase=plan.played)

    def augment(self, x: Tensor, batch: Batch) -> Tensor:
        return x * batch.plan.phase


def test_the_steps_are_in_the_phase_of_the_turn() -> None:
    """In phase 7 a linear critic sees 7·x: w after a step is w - 7η(f - r), and the value -7w·(f - r)."""
    torch.manual_seed(0)
    game = build_game(config(*LINEAR, "loss=wgan", *unrolled(1, lr=0.1)))
    game.tricks.setup(game, {"stage": Stage()})
    real = torch.randn(16, 2)
    batch = Batch({"real": real}, game.latents(16), torch.tensor(0), game.plan("generator", 7))
    _, w, _ = parts(game)
    apart = 7 * (game.generate(batch)["discriminator"].x.mean(0).detach() - real.mean(0))
    wanted = -(w - 0.1 * apart) @ apart
    assert game.terms("generator", batch)["adversarial"].item() == pytest.approx(wanted.item(), rel=1e-4)


def test_the_discriminator_stays_as_it_is() -> None:
    """Weights, power iterations, running statistics, other tricks' averages: the steps work on copies."""
    words = [*DCGAN, "loss=nonsaturating", "trainer.batch_size=8", "tricks=[spectral_norm,lecam,ada,unrolled]"]
    rounds, progress = round_of(*words), Progress()
    rounds.play(progress)
    game, trick = rounds.game, rounds.game.tricks["unrolled"]
    assert isinstance(trick, Trick)
    batch = batch_for(game, torch.randn(8, 1, 16, 16))
    context = game.generator_turn("generator", game.generate(batch), batch)
    before = copy.deepcopy(game.state_dict())
    assert {name.rpartition(".")[2] for name in before} >= {"running_mean", "num_batches_tracked", "_u", "p", "signs"}
    trick.terms(GENERATOR, context)["adversarial"].backward()
    after = game.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_the_generators_turn_leaves_the_discriminator_and_its_optimizer() -> None:
    words = [*DCGAN, "loss=nonsaturating", "trainer.batch_size=8", "tricks=[unrolled]"]
    rounds, progress = round_of(*words), Progress()
    rounds.play(progress)
    player = rounds.learners["discriminator"]
    before = copy.deepcopy([*player.parameters]), copy.deepcopy(player.optimizer.state_dict()["state"])
    moving = [p.clone() for p in rounds.learners["generator"].parameters]
    turn = next(turn for turn in rounds.game.turns if turn.player == "generator")
    assert turn.real, "the steps need real samples"
    rounds.turn(turn, 1, progress, observe=False)
    assert all(torch.equal(a, b) for a, b in zip(before[0], player.parameters, strict=True))
    now = player.optimizer.state_dict()["state"]
    assert all(torch.equal(before[1][k][name], now[k][name]) for k in now for name in now[k])
    assert any(not torch.equal(a, b) for a, b in zip(moving, rounds.learners["generator"].parameters, strict=True))


@pytest.mark.parametrize("turns", [0, 3])
def test_adam_inside_goes_where_the_discriminators_own_would_go(turns: int) -> None:
    """The value after K steps is that of a copy of D which its own optimizer, as far as it is, moves K times."""
    words = ["dataset=ring8", "loss=minimax", "trainer.batch_size=16", *unrolled(3, 1e-2)]
    words += ["tricks.unrolled.optimizer=adam", "tricks.unrolled.betas=[0.5,0.99]"]
    words += ["optimizer.discriminator.lr=1e-2", "optimizer.betas=[0.5,0.99]"]
    rounds, progress = round_of(*words), Progress()
    for _ in range(turns):
        rounds.play(progress)
    game, player = rounds.game, rounds.learners["discriminator"]
    batch = batch_for(game, torch.randn(16, 2))
    found = game.terms("generator", batch)["adversarial"].item()

    made = Samples(game.generate(batch)["discriminator"].x.detach())
    [p.requires_grad_(True) for p in player.parameters]
    for _ in range(3):
        player.optimizer.zero_grad()
        game.discriminator_turn("discriminator", made, batch).terms["adversarial"].backward()
        player.optimizer.step()
    assert found == pytest.approx(
        -game.discriminator_turn("discriminator", made, batch).terms["adversarial"].item(), rel=1e-4
    )


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_layers_that_are_frozen_stay_so_in_the_steps(optimizer: str) -> None:
    """With all but the last layer frozen, the value after K steps is that of a D whose last layer alone moves."""
    words = ["dataset=ring8", "loss=minimax", "trainer.batch_size=16", "model.discriminator.hidden=[4]"]
    game = build_game(config(*words, *unrolled(3, 0.1), f"tricks.unrolled.optimizer={optimizer}"))
    trunk, head = game.get_submodule("discriminator.trunk"), game.get_submodule("discriminator.head")
    trunk.requires_grad_(False)
    trick = game.tricks["unrolled"]
    assert isinstance(trick, Unrolled)
    trick.setup(game)
    begun(game)
    for parameter in head.parameters():
        parameter.grad = torch.zeros_like(parameter)
    trick.before_update(DISCRIMINATOR, list(head.parameters()))  # a turn in which nothing pulled
    batch = batch_for(game, torch.randn(16, 2))
    found = game.terms("generator", batch)["adversarial"].item()

    made = Samples(game.generate(batch)["discriminator"].x.detach())
    moves = {"sgd": torch.optim.SGD(head.parameters(), lr=0.1)}
    moves["adam"] = torch.optim.Adam(head.parameters(), lr=0.1, betas=(0.5, 0.999))
    if optimizer == "adam":
        moves["adam"].step()
    for _ in range(3):
        moves[optimizer].zero_grad()
        game.discriminator_turn("discriminator", made, batch).terms["adversarial"].backward()
        moves[optimizer].step()
    assert found == pytest.approx(
        -game.discriminator_turn("discriminator", made, batch).terms["adversarial"].item(), rel=1e-4
    )


@pytest.mark.parametrize("betas", [[0.5], [0.5, 1.0], [-0.1, 0.9]])
def test_betas_are_checked(betas: list[float]) -> None:
    with pytest.raises(ValueError, match="betas"):
        Unrolled(betas=betas)


@pytest.mark.parametrize("setting", [{"steps": -1}, {"lr": 0.0}, {"lr": -1.0}])
def test_settings_are_checked(setting: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"must be (0 or more|positive)"):
        Unrolled(**setting)  # type: ignore[arg-type]
