"""The rules of a turn."""

from __future__ import annotations

import pytest
import torch
from conftest import config, round_of
from playing import LOSSES, check_turns, note_calls

from gantrain.commands.assembly import build_game
from gantrain.errors import UserError
from gantrain.games import Request
from gantrain.training.rounds import Progress
from gantrain.turns import Batch, Samples, TurnPlan

DCGAN = ["dataset=digits", "model=dcgan", "model.generator.width=4", "model.discriminator.width=4"]


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_on_residual_networks(loss: str) -> None:
    """What is played on other networks is in test_pairs.py."""
    words = ["dataset=digits", "model=resnet", "model.generator.width=8", "model.discriminator.width=8"]
    tricks = "tricks=[ema,spectral_norm,consistency,topk,gradient_clipping]"
    check_turns(round_of(*words, f"loss={loss}", tricks, "trainer.batch_size=8"))


def test_loss_config_says_how_the_game_goes() -> None:
    game = build_game(config("model=dcgan", "loss=wgan_gp"))
    assert [(t.player, t.times) for t in game.turns] == [("discriminator", 5), ("generator", 1)]
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in game.get_submodule("discriminator").modules())
    assert any(isinstance(m, torch.nn.BatchNorm2d) for m in game.get_submodule("generator").modules())
    cfg = config("model=dcgan", "loss=wgan_gp")
    assert (cfg.model.discriminator.norm, cfg.optimizer.lr, list(cfg.optimizer.betas)) == ("layer", 1e-4, [0.0, 0.9])


def test_penalties_that_share_a_forward_equal_those_that_do_not() -> None:
    torch.manual_seed(0)
    game = build_game(config("dataset=ring8", "loss=r3"))
    batch = Batch({"real": torch.randn(16, 2)}, game.latents(16), torch.zeros(()), plan=TurnPlan(("r1", "r2")))
    terms = game.terms("discriminator", batch)
    discriminator, fake = game.get_submodule("discriminator"), game.get_submodule("generator")(batch.latent["noise"])
    for name, penalty in game.loss.penalties.items():
        alone = penalty.weight.now * penalty(lambda x: discriminator(x.x), Samples(batch.data["real"]), Samples(fake))
        torch.testing.assert_close(terms[name], alone)


def test_lazy_penalties_are_played_every_kth_turn_and_k_times_as_strong() -> None:
    words = ["dataset=ring8", "loss=r1"]
    always, lazy = build_game(config(*words)), build_game(config(*words, "loss.penalties.r1.every=4"))
    assert [lazy.plan("discriminator", k).penalties for k in range(5)] == [("r1",), (), (), (), ("r1",)]
    assert lazy.plan("generator", 0) == TurnPlan()
    batch = Batch({"real": torch.randn(8, 2)}, always.latents(8), torch.zeros(()), plan=TurnPlan(("r1",)))
    once, fourfold = (game.terms("discriminator", batch)["r1"] for game in (always, lazy))
    torch.testing.assert_close(4 * once, fourfold)
    skipped = Batch(batch.data, batch.latent, batch.step, plan=TurnPlan())
    assert "r1" not in lazy.terms("discriminator", skipped)


def test_real_and_fake_go_together_only_where_that_changes_nothing() -> None:
    """With batch norm the logits equal those of separate calls."""
    for words in (["model.discriminator.norm=batch"], ["model.discriminator.norm=layer"]):
        torch.manual_seed(0)
        game = build_game(config(*DCGAN, *words, "loss=nonsaturating", "tricks=[]"))
        batch = Batch({"real": torch.randn(6, 1, 16, 16)}, game.latents(6), torch.zeros(()))
        with torch.no_grad():
            fake = game.get_submodule("generator")(batch.latent["noise"])
            apart = [game.get_submodule("discriminator")(x) for x in (batch.data["real"], fake)]
        game.terms("discriminator", batch)
        torch.testing.assert_close(game.observed["real"], apart[0], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(game.observed["fake"], apart[1], rtol=1e-4, atol=1e-5)


def test_samples_use_the_average_and_do_not_depend_on_each_other() -> None:
    game = build_game(config(*DCGAN, "tricks=[ema]"))
    noise = torch.randn(4, 100)
    whole = game.sample(Request(4, {"noise": noise}))["samples"].x
    one = game.sample(Request(1, {"noise": noise[:1]}))["samples"].x
    torch.testing.assert_close(whole[:1], one)
    with torch.no_grad():
        for p in game.averages["generator"].parameters():
            p.zero_()
    assert game.sample(Request(4, {"noise": noise}))["samples"].x.abs().max() == 0
    assert game.get_submodule("generator").training


@pytest.mark.parametrize("loss", ["nonsaturating", "hinge"])
def test_parts_of_a_batch_add_up(loss: str) -> None:
    """The gradient of a turn in two parts is the mean of the gradients of both halves, and so that of the whole."""
    words = ["dataset=ring8", f"loss={loss}", "optimizer=sgd", "optimizer.lr=0", "trainer.batch_size=8", "tricks=[]"]
    whole, rounds = round_of(*words), round_of(*words, "trainer.accumulate=2")
    terms = rounds.game.terms
    once, halved = (note_calls(game, "terms") for game in (whole.game, rounds.game))
    for played in (whole, rounds):
        progress = Progress()
        played.play(progress)
        assert progress.position == 8
    parts = [batch for (_, batch), _ in halved]
    for ((player, batch), _), halves in zip(once, (parts[:2], parts[2:]), strict=True):
        for name in batch.latent:
            assert torch.equal(torch.stack([half.latent[name] for half in halves], 1).flatten(0, 1), batch.latent[name])
        for name in batch.data:
            assert torch.equal(torch.stack([half.data[name] for half in halves], 1).flatten(0, 1), batch.data[name])
        parameters = list(rounds.learners[player].parameters)
        [p.requires_grad_(True) for p in parameters]
        total = sum(sum(terms(player, half).values()) for half in halves) / 2
        slopes = torch.autograd.grad(total, parameters)
        for p, same, wanted in zip(parameters, whole.learners[player].parameters, slopes, strict=True):
            torch.testing.assert_close(p.grad, wanted)
            torch.testing.assert_close(p.grad, same.grad)


def test_penalties_forbid_that_samples_meet() -> None:
    words = ["model=dcgan", "loss=nonsaturating"]
    penalty = "+loss.penalties.r1={_target_: gantrain.losses.R1, weight: 1.0}"
    with pytest.raises(UserError, match="per_sample=true"):
        build_game(config(*words, penalty))


def test_a_patch_discriminators_penalty_is_that_of_its_mean_logit() -> None:
    torch.manual_seed(0)
    game = build_game(config(*DCGAN, "loss=r3", "model.discriminator.discriminator=patch"))
    real = torch.randn(4, 1, 16, 16)
    batch = Batch({"real": real}, game.latents(4), torch.zeros(()), plan=TurnPlan(("r1", "r2")))
    terms = game.terms("discriminator", batch)
    x = real.clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(game.get_submodule("discriminator")(x).mean(1).sum(), x)
    wanted = 10.0 * 0.5 * gradient.flatten(1).square().sum(1).mean()
    torch.testing.assert_close(terms["r1"], wanted, rtol=1e-4, atol=1e-8)
