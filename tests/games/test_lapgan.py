"""A pyramid of games: what each level is given, its loss terms and its samples."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import Command, config, only_run, round_of, same
from torch import Tensor

from gantrain.commands.assembly import build_game
from gantrain.commands.sampling import generate_samples, side_by_side
from gantrain.errors import UserError
from gantrain.games import LAPGAN, Request, Sampler
from gantrain.networks.lapgan import expanded, halved, low_pass
from gantrain.runs import load_checkpoint
from gantrain.seeding import Purpose
from gantrain.training.machine import Machine
from gantrain.training.state import Progress
from gantrain.turns import Batch, TurnPlan

NARROW = "model.generator.hidden=[8] model.discriminator.hidden=[8] model.noise.dim=6"
SMALL = [*f"dataset=digits dataset.image_size=32 model=lapgan {NARROW}".split(), "trainer.batch_size=8", "tricks=[]"]
SMALL += ["model.finer_generator.width=2", "model.finer_discriminator.width=2", "loss=nonsaturating", "optimizer=adam"]


def game_of(*words: str) -> LAPGAN:
    torch.manual_seed(0)
    game = build_game(config(*SMALL, *words))
    assert isinstance(game, LAPGAN)
    return game.eval()  # no drop-out


def batch_of(game: LAPGAN, n: int = 6) -> Batch:
    torch.manual_seed(1)
    return Batch({"real": torch.rand(n, 1, 32, 32) * 2 - 1}, game.latents(n), torch.zeros(()), TurnPlan())


# --- the pyramid ----------------------------------------------------------------------------------------------------


def test_a_pyramid_holds_all_of_a_picture() -> None:
    """I = u(…u(I₈) + h₁₆…) + h₃₂, with the details h of each level (Denton et al. 2015, equations 1 and 2)."""
    x = torch.rand(5, 3, 32, 32, dtype=torch.float64) * 2 - 1
    levels = [x, halved(x), halved(halved(x))]
    details = [level - low_pass(level) for level in levels[:-1]]
    built = levels[-1]
    for detail in reversed(details):
        built = expanded(built) + detail
    torch.testing.assert_close(built, x, rtol=0, atol=1e-14)
    assert [detail.shape[2] for detail in details] == [32, 16]


def test_a_low_pass_keeps_what_is_smooth() -> None:
    """A constant picture has no detail, and details of any picture have a mean near 0."""
    assert not (torch.ones(1, 1, 8, 8) - low_pass(torch.ones(1, 1, 8, 8))).any()
    x = torch.rand(1, 1, 64, 64)
    assert (x - low_pass(x)).mean().abs() < 1e-2


# --- what each level is given ---------------------------------------------------------------------------------------


@torch.no_grad()
def test_each_level_refines_real_pictures_of_its_own() -> None:
    """Real pictures are l + h, fakes l + G(z, l), with the same l, expanded from half of the real picture."""
    game = game_of()
    batch = batch_of(game)
    real, fake, x = game.real(batch), game.generate(batch), batch.data["real"]
    torch.testing.assert_close(fake["discriminator_8"].x, game.generator_8(batch.latent["noise"]))  # type: ignore[operator]
    torch.testing.assert_close(real["discriminator_8"].x, F.avg_pool2d(x, 4))
    for side in (16, 32):
        name, picture = f"discriminator_{side}", F.avg_pool2d(x, 32 // side)
        low = F.interpolate(F.avg_pool2d(x, 64 // side), scale_factor=2, mode="bilinear")
        torch.testing.assert_close(real[name].x, picture)
        detail = game.get_submodule(f"generator_{side}")(batch.latent[f"noise_{side}"], low)
        torch.testing.assert_close(fake[name].x, low + detail)
        assert batch.latent[f"noise_{side}"].shape == (6, 1, side, side)
        assert batch.latent[f"noise_{side}"].abs().max() <= 1


def test_loss_terms_are_the_papers() -> None:
    """-log D(h + l) - log(1 - D(G(z, l) + l)) for each level's D, and -log D(G(z, l) + l) for its G."""
    game = game_of()
    batch = batch_of(game)
    for side in game.resolutions:
        judge, made = f"discriminator_{side}", game.generate(batch)[f"discriminator_{side}"].x
        real, fake = (game.get_submodule(judge)(x).sigmoid() for x in (game.real(batch)[judge].x, made))
        terms = game.terms(judge, batch)
        assert terms.keys() == {"adversarial"}
        torch.testing.assert_close(terms["adversarial"], -(real.log().mean() + (1 - fake).log().mean()))
        terms = game.terms(f"generator_{side}", batch)
        assert terms.keys() == {"adversarial"}
        torch.testing.assert_close(terms["adversarial"], -fake.log().mean())


def test_each_turn_moves_one_player_of_one_level() -> None:
    rounds = round_of(*SMALL)
    players = [turn.player for turn in rounds.game.turns]
    assert players == [f"{role}_{side}" for role in ("discriminator", "generator") for side in (8, 16, 32)]
    assert [turn.real for turn in rounds.game.turns] == [True, True, True, False, True, True]
    progress = Progress()
    for turn in rounds.game.turns:
        before = {name: p.detach().clone() for name, p in rounds.game.named_parameters()}
        rounds.turn(turn, 0, progress, observe=True)
        moved = {name.split(".")[0] for name, p in rounds.game.named_parameters() if not torch.equal(p, before[name])}
        assert moved == {turn.player}


def test_the_low_pass_may_stand_beside_what_is_judged() -> None:
    """Then it is a condition that is given: no gradient is taken by it, and D tells two of them apart."""
    game = game_of("model.low_pass=beside", "loss=wgan_gp")
    batch = batch_of(game)
    assert game.conditions_of("discriminator_8") == ()
    assert game.conditions_of("discriminator_32") == ("low_pass",)
    samples = game.real(batch)["discriminator_32"]
    torch.testing.assert_close(samples.conditions["low_pass"], low_pass(batch.data["real"]))
    assert samples.given == {"low_pass"}
    assert not samples.continuous
    other = game.score("discriminator_32", samples, batch).logits
    changed = samples.map_pictures(torch.clone)
    changed.conditions["low_pass"].zero_()  # type: ignore[attr-defined]
    assert not torch.equal(game.score("discriminator_32", changed, batch).logits, other)
    assert all(term.isfinite() for term in game.terms("discriminator_32", batch).values())


# --- samples --------------------------------------------------------------------------------------------------------


@torch.no_grad()
def test_samples_are_made_from_coarse_to_fine() -> None:
    game = game_of()
    latent = game.latents(5)
    made = game.sample(Request(5, latent))
    assert {name: samples.x.shape[2] for name, samples in made.items()} == {
        "samples": 32, "resolution_16": 16, "resolution_8": 8,
    }  # fmt: skip
    x: Tensor = game.generator_8(latent["noise"])  # type: ignore[operator]
    torch.testing.assert_close(made["resolution_8"].x, x)
    for side in (16, 32):
        x = expanded(x) + game.get_submodule(f"generator_{side}")(latent[f"noise_{side}"], expanded(x))
        found = made["samples" if side == 32 else "resolution_16"].x
        torch.testing.assert_close(found, x.clamp(-1, 1))
    for side in (8, 16, 32):
        asked = game.request(5, {"resolution": str(side)})
        ((name, alone),) = game.sample(replace(asked, latent=latent)).items()
        assert name == "samples"
        assert torch.equal(alone.x, made["samples" if side == 32 else f"resolution_{side}"].x)
    with pytest.raises(ValueError, match="resolution=4 is none of this run's: use 8, 16, 32"):
        game.request(5, {"resolution": "4"})


@torch.no_grad()
def test_a_picture_shows_every_level_of_a_sample_beside_the_others() -> None:
    game = game_of()
    request = game.preview_request(64)
    made = generate_samples(game, Machine(torch.device("cpu")), request, 0, Purpose.PICTURES)
    shown, columns = side_by_side(made, request)
    assert columns == 9
    assert shown.shape == (request.n * 3, 1, 32, 32)
    assert torch.equal(shown[0::3], made["samples"].x)
    assert torch.equal(shown[1::3, :, ::2, ::2], made["resolution_16"].x)
    assert torch.equal(shown[2::3, :, 3::4, 3::4], made["resolution_8"].x)


@torch.no_grad()
def test_other_programs_get_the_whole_chain() -> None:
    game = game_of()
    sampler = Sampler(game, {})
    assert sampler.inputs == ["noise", "noise_16", "noise_32"]
    latent = game.latents(3)
    torch.testing.assert_close(sampler(*latent.values()), game.sample(Request(3, latent))["samples"].x)


# --- sizes and refusals ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("shape", "levels"), [((32, 32), 2), ((28, 28), 2), ((64, 64), 3), ((96, 64), 3), ((9, 9), 1)])
def test_levels_follow_from_the_size(shape: tuple[int, int], levels: int) -> None:
    assert LAPGAN.auto("levels", [3, *shape], False) == levels


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["model.levels=6"], "levels=6: pictures of 32x32 cannot be halved 6 times: set fewer"),
        (["dataset.image_size=27"], "levels=1: pictures of 27x27 cannot be halved 1 time"),
        (["model.levels=3"], "this network works on pictures of 9 pixels or more, got 8"),
        (["tricks=[mode_seeking]"], "mode_seeking needs samples that follow from noise alone"),
        (["tricks=[reconstruction]"], "reconstruction needs pictures of one size"),
        (["tricks=[packing]", "model.low_pass=beside"], "each has a label or code of its own"),
    ],
)
def test_what_does_not_fit_is_refused(words: list[str], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        build_game(config(*SMALL, *words))


@pytest.mark.usefixtures("plain_pictures")
def test_a_run_goes_on_exactly(gantrain: Command, tmp_path: Path) -> None:
    words = [*SMALL, "tricks=[ema]", "metrics.use=[]", "log.sinks=[]", "log.samples_every=100"]
    assert gantrain(*words, "trainer.steps=3", "outputs_dir=whole").returncode == 0
    assert gantrain(*words, "trainer.steps=1", "outputs_dir=cut").returncode == 0
    whole, cut = (only_run(tmp_path / name) for name in ("whole", "cut"))
    assert gantrain(f"run={cut}", "trainer.steps=3").returncode == 0
    states = [load_checkpoint(run / "checkpoints" / "step_00000003.pt") for run in (whole, cut)]
    assert all(same(states[0][name], states[1][name]) for name in ("game", "optimizers"))
    done = gantrain("sample", f"run={whole}", "n=4", "format=npz", "out=s.npz")
    assert done.returncode == 0, done.stderr
    held = np.load(tmp_path / "s.npz")
    assert {name: held[name].shape for name in held} == {
        "samples": (4, 32, 32, 1), "resolution_16": (4, 16, 16, 1), "resolution_8": (4, 8, 8, 1),
    }  # fmt: skip
