"""BigGAN and R3GAN: with every loss and trick, their terms and what moves over time, and whose labels fakes have."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from conftest import config, round_of, same
from omegaconf import OmegaConf
from small import game_of
from test_every_game import LOSSES, TRICKS, check_rounds
from torch import Tensor

from gantrain.commands.assembly import build_game, build_learners
from gantrain.errors import UserError
from gantrain.training.rounds import Progress
from gantrain.tricks.orthogonal import off_diagonal_energy
from gantrain.turns import Batch, TurnPlan

SMALL = ["dataset=digits", "trainer.batch_size=8", "tricks=[]", "optimizer=adam"]
NETWORKS = {
    "biggan": "model.generator.width=2 model.generator.embedding=4 model.discriminator.width=2 model.noise.dim=12",
    "biggan_unconditional": "model.generator.width=2 model.discriminator.width=2 model.noise.dim=12",
    "r3gan": "networks@model=r3gan_small model.generator.width=8 model.discriminator.width=8",
}
NETWORKS["r3gan_conditional"] = NETWORKS["r3gan"]
REFUSED: dict[tuple[str, str], str] = {
    **{(model, "packing"): "a label or code of its own" for model in NETWORKS},
    **{(model, "minibatch_tutorial"): r"no linear block 'trunk\.3'" for model in NETWORKS},
    **{
        ("r3gan_conditional", trick): "which generator has not"
        for trick in ("virtual_batch_norm", "reference_batch_norm")
    },
    ("r3gan_conditional", "spectral_norm"): "begins as 0 and has no singular value",
}


def words(model: str, *more: str) -> list[str]:
    return [*SMALL, f"model={model}", *NETWORKS[model].split(), *more]


QUICK = {"wgan_gp", "spectral_norm", "orthogonal", "virtual_batch_norm", "reconstruction"}
"""Of losses and tricks: those that look into networks."""


def each(names: list[str]) -> list[Any]:
    """The losses or tricks, of which but a few take part in quick tests."""
    return [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in names]


@pytest.mark.parametrize("loss", each(LOSSES))
@pytest.mark.parametrize("model", ["biggan", "r3gan_conditional"])
def test_with_a_loss(model: str, loss: str) -> None:
    check_rounds(round_of(*words(model, f"loss={loss}", f"trainer.precision={'bf16' if loss[0] in 'rw' else 'fp32'}")))


@pytest.mark.parametrize("model", ["biggan_unconditional", "r3gan"])
def test_without_labels(model: str) -> None:
    check_rounds(round_of(*words(model, "loss=r3", "trainer.precision=bf16", "trainer.accumulate=2")))


@pytest.mark.parametrize("model", ["biggan", "r3gan_conditional"])
@pytest.mark.parametrize("trick", each(TRICKS))
def test_with_a_trick(model: str, trick: str) -> None:
    asked = words(model, "loss=nonsaturating", f"tricks=[{trick}]", "metrics.use=[]")
    if trick == "minibatch_stddev":
        asked.append("tricks.minibatch_stddev.group_size=2")
    if trick == "reconstruction":
        asked.append("tricks.reconstruction.width=4")
    if sentence := REFUSED.get((model, trick)):
        with pytest.raises(UserError, match=sentence):
            build_game(config(*asked))
    else:
        check_rounds(round_of(*asked))


@pytest.mark.slow
@pytest.mark.parametrize("model", ["acgan", "sgan", "infogan", "bigan", "gman", "madgan"])
@pytest.mark.parametrize("networks", ["biggan", "r3gan"])
def test_in_other_games(networks: str, model: str) -> None:
    """Games bring their own labels and heads; `built_in` where a generator may know labels in its own way."""
    told = ["model.conditioning=built_in"] if model == "acgan" else []
    more = [f"networks@model={networks}", *NETWORKS[networks if networks == "r3gan" else "biggan"].split(), *told]
    check_rounds(round_of(*SMALL, f"model={model}", *more))


# --- terms, and what moves over time ----------------------------------------------------------------------------------


def moved(start: float, end: float, share: float) -> float:
    """R3GAN's schedule, as its code has it: `end` and half a cosine of the way back to `start`."""
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2


@pytest.mark.parametrize("step", [0, 300, 1200])
def test_r3gan_moves_its_numbers_as_its_code_does(step: int) -> None:
    """CIFAR-10's preset at 0, a quarter and all of the 20 million pictures over which they move."""
    cfg = config("experiment=r3gan_cifar10", *NETWORKS["r3gan"].split(), "trainer.steps=1200", "metrics=none")
    game, share = build_game(cfg), step / 1200
    for setting in game.scheduled():
        setting.move_to(step, 1200, torch.device("cpu"))
    r1, r2, half_life, p = (float(setting.now) for setting in game.scheduled())
    assert r1 == r2 == pytest.approx(moved(0.05, 0.005, share))
    assert half_life == pytest.approx(moved(1.0, 5e6, share))
    assert p == pytest.approx(moved(0.0, 0.55, share), abs=1e-7)
    for learner in build_learners(cfg, game).values():
        learner.move_to(step, 1200)
        assert learner.rate == pytest.approx(moved(2e-4, 5e-5, share))
        assert learner.optimizer.param_groups[0]["betas"] == pytest.approx((0.0, moved(0.9, 0.99, share)))


def labelled(n: int) -> Batch:
    torch.manual_seed(1)
    data = {"real": torch.rand(n, 1, 16, 16) * 2 - 1, "label": torch.arange(n) % 10}
    latent = {"noise": torch.randn(n, 64), "label": torch.full((n,), 9)}
    return Batch(data, latent, torch.zeros(()), plan=TurnPlan(("r1", "r2")))


def penalty(game: Any, x: Tensor, label: Tensor) -> Tensor:
    x = x.detach().requires_grad_(True)
    (slope,) = torch.autograd.grad(game.discriminator(x, label=label).sum(), x)
    return slope.square().sum((1, 2, 3)).mean()


def test_r3gan_plays_the_papers_equations_on_samples_of_one_label() -> None:
    """Softplus of -(D(x) - D(G(z))) and γ/2 (‖∇D(x)‖² + ‖∇D(G(z))‖²); fakes have the labels of the real samples."""
    game, batch = game_of(*words("r3gan_conditional", "loss=r3", "model.noise.dim=64")), labelled(6)
    label = batch.data["label"]
    fakes = game.generator(batch.latent["noise"], label)
    real, fake = game.discriminator(batch.data["real"], label=label), game.discriminator(fakes, label=label)
    terms = game.terms("discriminator", batch)
    torch.testing.assert_close(terms["adversarial"], F.softplus(fake - real).mean())
    torch.testing.assert_close(terms["r1"], 10.0 / 2 * penalty(game, batch.data["real"], label))
    torch.testing.assert_close(terms["r2"], 10.0 / 2 * penalty(game, fakes, label))
    torch.testing.assert_close(game.terms("generator", batch)["adversarial"], F.softplus(real - fake).mean())


def test_labels_are_drawn_where_they_are_asked_for_or_nothing_is_real() -> None:
    batch = labelled(6)
    for model, wanted in (("r3gan_conditional", batch.data["label"]), ("biggan", batch.latent["label"])):
        game = game_of(*words(model, "model.noise.dim=64"))
        made = game.generate(batch)["discriminator"].conditions["label"]
        assert torch.equal(made, wanted)
        assert set(game.sample(game.request(4, {"class": "3"}))["samples"].conditions["label"].tolist()) == {3}


def test_biggan_plays_the_papers_equations() -> None:
    """Hinge, and β Σ ‖WWᵀ ⊙ (1 - I)‖² over the filters of G's layers, the label's embedding left out."""
    asked = words("biggan", "loss=biggan", "tricks=[orthogonal]", "model.noise.dim=64")
    game, batch = game_of(*asked), labelled(6)
    game.eval()
    label = batch.latent["label"]
    fakes = game.generator(batch.latent["noise"], label)
    real, fake = (
        game.discriminator(batch.data["real"], label=batch.data["label"]),
        game.discriminator(fakes, label=label),
    )
    value = game.terms("discriminator", Batch(batch.data, batch.latent, batch.step, TurnPlan()))["adversarial"]
    torch.testing.assert_close(value, F.relu(1 - real).mean() + F.relu(1 + fake).mean())
    terms = game.terms("generator", batch)
    torch.testing.assert_close(terms["adversarial"], -fake.mean())
    cost = 0.0
    for name, p in game.generator.named_parameters():
        if p.dim() > 1 and "embedding" not in name:
            w = p.detach().flatten(1).double()
            cost += ((w @ w.T) * (1 - torch.eye(len(w)))).square().sum().item()
    assert terms["orthogonal"].item() == pytest.approx(1e-4 * cost, rel=1e-3, abs=1e-8)


def test_orthogonal_regularisation_of_a_known_matrix() -> None:
    """Rows (1, 2), (3, 4), (0, 1): products 11, 2 and 4, each twice."""
    w = torch.tensor([[1.0, 2.0], [3.0, 4.0], [0.0, 1.0]])
    assert off_diagonal_energy(w).item() == pytest.approx(2 * (11**2 + 2**2 + 4**2))


SETTINGS: dict[str, dict[str, Any]] = {
    "biggan_cifar10": {
        "loss.n_critic": 4,
        "loss.adversarial._target_": "gantrain.losses.Hinge",
        "optimizer.lr": 2e-4,
        "optimizer.betas": [0.0, 0.999],
        "trainer.batch_size": 50,
        "trainer.steps": 125_000,
        "model.conditioning": "built_in",
        "model.noise.dim": 128,
        "model.generator.width": 64,
        "model.generator.embedding": None,
        "model.generator.initial": "normal",
        "dataset.augment.flip": False,
    },
    "r3gan_cifar10": {
        "trainer.batch_size": 512,
        "trainer.steps": 39_063,
        "model.noise.dim": 64,
        "model.generator.width": 768,
        "model.discriminator.blocks": 2,
        "model.paired_labels": True,
        "dataset.augment.flip": True,
        "loss.n_critic": 1,
    },
}


@pytest.mark.parametrize("experiment", SETTINGS)
def test_settings_are_those_of_the_papers_code(experiment: str) -> None:
    cfg = config(f"experiment={experiment}")
    assert {path: OmegaConf.select(cfg, path) for path in SETTINGS[experiment]} == SETTINGS[experiment]


def test_the_papers_pace_at_128() -> None:
    cfg = config("dataset=digits", "dataset.image_size=128", "model=biggan", "optimizer=biggan", "loss=biggan")
    assert cfg.model.generator.attention == [64]
    assert (cfg.optimizer.generator.lr, cfg.optimizer.discriminator.lr, cfg.loss.n_critic) == (5e-5, 2e-4, 2)


@pytest.mark.parametrize("model", ["biggan", "r3gan_conditional"])
def test_a_run_that_goes_on_equals_one_that_never_stopped(model: str) -> None:
    """Two rounds and two more from their state, with everything that moves, against four."""
    asked = words(model, "loss=r3gan_small", "optimizer=r3gan_small", "tricks=[ema,orthogonal]")
    straight, first, second = (round_of(*asked) for _ in range(3))
    progress = Progress()
    for _ in range(4):
        straight.play(progress)
    progress = Progress()
    for _ in range(2):
        first.play(progress)
    second.game.load_state_dict(first.game.state_dict())
    for name, learner in second.learners.items():
        learner.optimizer.load_state_dict(first.learners[name].optimizer.state_dict())
    for _ in range(2):
        second.play(progress)
    assert same({**straight.game.state_dict()}, {**second.game.state_dict()})
