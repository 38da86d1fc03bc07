"""A game that grows: its phases, what it fades, its loss terms and its samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from conftest import Command, config, only_run, round_of, same
from torch import Tensor

from gantrain.commands.assembly import build_game
from gantrain.errors import UserError
from gantrain.games import ProGAN, Request
from gantrain.games.progan import Growth
from gantrain.networks.progan import doubled
from gantrain.runs import load_checkpoint
from gantrain.training.state import Progress
from gantrain.turns import Batch, Samples, TurnPlan

NARROW = "model.generator.width=2 model.generator.most=8 model.discriminator.width=2 model.discriminator.most=8"
SMALL = [*f"dataset=digits dataset.image_size=16 model=progan {NARROW}".split(), "model.noise.dim=8"]
SMALL += ["loss=progan", "trainer.batch_size=8", "tricks=[]"]
PHASES = ["model.stable_images=16", "model.fade_images=32"]
"""Of two steps and of four."""


def game_of(*words: str) -> ProGAN:
    torch.manual_seed(0)
    game = build_game(config(*SMALL, *PHASES, *words))
    assert isinstance(game, ProGAN)
    return game


def batch_of(game: ProGAN, step: int, n: int = 8) -> Batch:
    torch.manual_seed(1)
    data = {"real": torch.rand(n, 1, 16, 16) * 2 - 1}
    return Batch(data, game.latents(n), torch.tensor(step), TurnPlan(("gradient_penalty", "drift"), game.phase(step)))


# --- phases ---------------------------------------------------------------------------------------------------------


def test_phases_follow_from_the_pictures_shown() -> None:
    """4x4 for 16 pictures, 8x8 fades in for 32 and stays for 16, and so on; eight in each step."""
    game = game_of()
    assert [game.phase(step) for step in range(14)] == [0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 3, 3, 4, 4]
    sides = [game.generate(batch_of(game, step))["discriminator"].x.shape[2] for step in (1, 2, 7, 8, 13)]
    assert sides == [4, 8, 8, 16, 16]
    fades = [game.numbers(batch_of(game, step))["growth/fade"].item() for step in (0, 2, 3, 5, 6, 8, 11, 12, 90)]
    assert fades == [1, 0, 0.25, 0.75, 1, 0, 0.75, 1, 1]


def test_every_turn_of_the_critic_counts() -> None:
    assert game_of("loss.n_critic=2").growth.begins == (0, 1, 3, 4, 6)


def test_phases_are_equally_many_pictures_where_the_run_has_a_length() -> None:
    words = ["model.stable_images=null", "model.fade_images=null", "trainer.steps=1000", "model.grown=0.5"]
    assert game_of(*words).growth.begins == (0, 125, 250, 375, 500)
    game = game_of(*words, "model.batches=[4,2,1]")
    lengths = [end - begin for begin, end in zip(game.growth.begins, game.growth.begins[1:], strict=False)]
    assert lengths == pytest.approx([500 * share / 9 for share in (1, 2, 2, 4)], abs=1)
    assert [game.turns_at(begin)[0].batches for begin in game.growth.begins] == [4, 2, 2, 1, 1]


def test_a_phase_has_one_shape_and_a_batch_of_its_own() -> None:
    rounds = round_of(*SMALL, *PHASES, "model.batches=[2,1]", "model.stable_images=8", "model.fade_images=8")
    progress, seen = Progress(), []
    play = rounds.game.terms

    def noted(player: str, batch: Batch) -> dict[str, Tensor]:
        seen.append((batch.plan.phase, tuple(rounds.game.generate(batch)["discriminator"].x.shape)))
        return play(player, batch)

    rounds.game.terms = noted  # type: ignore[method-assign]
    for _ in range(4):
        rounds.play(progress)
    assert set(seen) == {(0, (16, 1, 4, 4)), (1, (8, 1, 8, 8)), (2, (8, 1, 8, 8)), (3, (8, 1, 16, 16))}
    assert progress.position == 16 + 3 * 8


def test_a_run_too_short_for_a_phase_leaves_it_out() -> None:
    growth = Growth.of([1.0] * 4, steps=2)
    assert [growth.phase(step) for step in range(4)] == [0, 2, 4, 4]


@pytest.mark.parametrize("restart", [True, False])
def test_optimizers_start_anew_at_both_ends_of_a_fade(restart: bool) -> None:
    rounds, progress = round_of(*SMALL, *PHASES, f"model.restart_optimizers={restart}"), Progress()
    ages = []
    for _ in range(8):
        rounds.play(progress)
        states = rounds.learners["discriminator"].optimizer.state.values()
        ages.append(max(int(state["step"]) for state in states))
    assert ages == ([1, 2, 1, 2, 3, 4, 1, 2] if restart else [1, 2, 3, 4, 5, 6, 7, 8])


# --- what is played -------------------------------------------------------------------------------------------------


def test_loss_terms_are_the_papers() -> None:
    """D(G(z)) - D(x) + 10·(‖∇D(x̂)‖ - 1)² + 0.001·D(x)², and -D(G(z)), with x as it fades in."""
    game = game_of()
    batch = batch_of(game, 9)
    fade = 0.25
    x = fade * batch.data["real"] + (1 - fade) * doubled(F.avg_pool2d(batch.data["real"], 2))
    torch.testing.assert_close(game.real(batch)["discriminator"].x, x)
    inner, to_picture = game.generator.stages, game.generator.to_picture
    at_8 = inner[1](inner[0](batch.latent["noise"]))
    fake = fade * to_picture[2](inner[2](at_8)) + (1 - fade) * doubled(to_picture[1](at_8))
    torch.testing.assert_close(game.generate(batch)["discriminator"].x, fake)

    def critic(pictures: Tensor) -> Tensor:
        return game.score("discriminator", Samples(pictures), batch).logits

    torch.manual_seed(3)
    terms = game.terms("discriminator", batch)
    torch.testing.assert_close(terms["adversarial"], critic(fake).mean() - critic(x).mean())
    torch.testing.assert_close(terms["drift"], 0.001 * critic(x).square().mean())
    torch.manual_seed(3)
    epsilon = torch.rand(8).view(-1, 1, 1, 1)
    between = (epsilon * x + (1 - epsilon) * fake).detach().requires_grad_()
    (slope,) = torch.autograd.grad(critic(between).sum(), between)
    torch.testing.assert_close(terms["gradient_penalty"], 10 * (slope.flatten(1).norm(dim=1) - 1).square().mean())
    assert terms.keys() == {"adversarial", "gradient_penalty", "drift"}
    torch.testing.assert_close(game.terms("generator", batch)["adversarial"], -critic(fake).mean())


@torch.no_grad()
def test_nothing_jumps_when_a_fade_begins() -> None:
    """The logits of real and of generated pictures are those of the phase before, and so is D's part of the value."""
    game = game_of()
    for begin in game.growth.begins[1::2]:
        before, now = batch_of(game, begin - 1), batch_of(game, begin)
        for kind in (game.real, game.generate):
            logits = [game.score("discriminator", kind(b)["discriminator"], b).logits for b in (before, now)]
            torch.testing.assert_close(*logits)
        assert not torch.equal(game.real(before)["discriminator"].x, game.real(now)["discriminator"].x)


def test_pictures_stand_on_a_canvas_of_a_power_of_two() -> None:
    game = build_game(config(*[w.replace("image_size=16", "image_size=28") for w in SMALL], *PHASES))
    assert isinstance(game, ProGAN)
    assert game.resolutions == [4, 8, 16, 28]
    data = {"real": torch.ones(4, 1, 28, 28)}
    real = game.real(Batch(data, {}, torch.tensor(90), TurnPlan(phase=6)))["discriminator"].x
    torch.testing.assert_close(real, F.pad(data["real"], (2, 2, 2, 2), value=-1))
    made = game.sample(Request(2, step=90))["samples"].x
    assert made.shape == (2, 1, 28, 28)


@torch.no_grad()
def test_pictures_of_the_datas_size_are_judged_as_in_the_turn() -> None:
    game = game_of()
    for step in (0, 3, 7, 50):
        batch = batch_of(game, step)
        shown = game.score("discriminator", game.real(batch)["discriminator"], batch).logits
        assert torch.equal(game.score("discriminator", Samples(batch.data["real"]), batch).logits, shown)


# --- samples --------------------------------------------------------------------------------------------------------


def test_samples_are_those_of_the_steps_phase() -> None:
    game = game_of()
    latent = game.latents(3)
    for step, side in ((0, 4), (3, 8), (7, 8), (9, 16), (50, 16)):
        made = game.sample(Request(3, latent, step=step))["samples"].x
        assert made.shape == (3, 1, 16, 16)
        batch = Batch({}, latent, torch.tensor(step), TurnPlan(phase=game.phase(step)))
        assert torch.equal(made[:, :, :: 16 // side, :: 16 // side], game.generate(batch)["discriminator"].x)
        assert torch.equal(made, F.interpolate(game.generate(batch)["discriminator"].x, scale_factor=16 // side))


@torch.no_grad()
def test_samples_of_a_lower_resolution() -> None:
    game = game_of()
    latent = game.latents(3)
    asked = [game.request(3, {"resolution": word}).resolution for word in ("4", "8", "16")]
    made = [game.sample(Request(3, latent, step=90, resolution=side))["samples"].x for side in asked]
    for level, x in enumerate(made):
        torch.testing.assert_close(x, F.avg_pool2d(game.generator(latent["noise"]), 4 // 2**level))
    coarse = game.sample(Request(3, latent, step=3, resolution=16))["samples"].x
    assert torch.equal(coarse, game.sample(Request(3, latent, step=3))["samples"].x)
    (fading,) = game.sample(Request(3, latent, step=3, resolution=8)).values()
    assert torch.equal(doubled(fading.x), coarse)
    with pytest.raises(ValueError, match="resolution=12 is none of this run's: use 4, 8, 16"):
        game.request(3, {"resolution": "12"})


# --- refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["model.fade_images=null"], "stable_images and fade_images belong together"),
        (["model.grown=2"], "grown must be 1 or less"),
        (["model.batches=[0]"], r"batches\[0\] must be 1 or more"),
        (["trainer.batch_size=6"], r"model\.discriminator\.group_size=4 does not part 6 samples"),
        (["dataset=ring8"], "works on images, but here are points"),
        (["tricks=[experience_replay]"], "experience_replay needs pictures of one size, but here they grow"),
    ],
)
def test_what_does_not_fit_is_refused(words: list[str], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        build_game(config(*[w for w in SMALL if "image_size" not in w], *PHASES, *words))


def test_networks_that_do_not_grow_are_refused() -> None:
    with pytest.raises(UserError, match="model=progan needs networks that grow"):
        build_game(config("dataset=digits", "model=progan", "networks@model=dcgan_small"))


# --- the command ----------------------------------------------------------------------------------------------------


def state_of(run: Path, step: int) -> dict[str, Any]:
    state = dict(load_checkpoint(run / "checkpoints" / f"step_{step:08d}.pt"))
    return {name: state[name] for name in ("game", "optimizers")}


@pytest.mark.usefixtures("plain_pictures")
def test_a_run_goes_on_exactly_across_a_fade(gantrain: Command, tmp_path: Path) -> None:
    """It is stopped right before a fade begins, and in another run within a fade."""
    words = [*SMALL, *PHASES, "tricks=[ema]", "metrics.use=[]", "log.sinks=[]", "checkpoint.keep=9"]
    words.append("log.samples_every=100")
    assert gantrain(*words, "trainer.steps=12", "checkpoint.every=4", "outputs_dir=whole").returncode == 0
    whole = only_run(tmp_path / "whole")
    for stop in (4, 8):
        assert gantrain(*words, f"trainer.steps={stop}", f"outputs_dir=cut{stop}").returncode == 0
        cut = only_run(tmp_path / f"cut{stop}")
        assert gantrain(f"run={cut}", "trainer.steps=12").returncode == 0
        assert same(state_of(whole, 12), state_of(cut, 12))
    done = gantrain("sample", f"run={whole}", "n=4", "resolution=8", "checkpoint=8", "out=s.npz")
    assert done.returncode == 0, done.stderr
    done = gantrain("sample", f"run={whole}", "n=4", "resolution=9")
    assert done.returncode == 2
    assert "use 4, 8, 16" in done.stderr
