"""`trainer.reuse_fakes`: the fakes of D's last turn are those of G's, made once, and nothing else is different."""

from __future__ import annotations

import pytest
import torch
from conftest import config, round_of

from gantrain.commands.assembly import build_game, reuses_fakes
from gantrain.errors import UserError
from gantrain.training.rounds import Progress, Rounds

SMALL = ["dataset=digits", "trainer.batch_size=8", "optimizer=adam"]
POINTS = ["dataset=ring8", "trainer.batch_size=8"]
REUSE = "trainer.reuse_fakes=true"
PLAIN = ["acgan", "bigan", "cgan", "infogan", "madgan", "mlp", "progan_small", "sgan", "triplegan"]
DATA = {"pix2pix_small": "digits_pairs", "cogan": "digits_domains"}


def made(rounds: Rounds) -> list[int]:
    """Fills with the sizes of the batches of fakes that the generator makes, from now on."""
    sizes: list[int] = []
    rounds.game.get_submodule("generator").register_forward_hook(lambda _, given, out: sizes.append(len(given[0])))
    return sizes


@pytest.mark.parametrize("words", [POINTS, [*SMALL, "model=dcgan_small"], [*POINTS, "loss=wgan_gp"]])
def test_the_generator_makes_fakes_once_less(words: list[str]) -> None:
    rounds, other = round_of(*words, REUSE), round_of(*words)
    sizes, others = made(rounds), made(other)
    for each in (rounds, other):
        each.play(Progress())
    assert len(sizes) == len(others) - 1 == rounds.game.loss.n_critic
    now, then = rounds.meter.read(), other.meter.read()
    assert now["loss/discriminator/total"] == then["loss/discriminator/total"], "D's turn is the same to the bit"
    assert now["loss/generator/total"] != then["loss/generator/total"]


@pytest.mark.parametrize("words", [POINTS, [*POINTS, "loss=wgan_gp"], [*SMALL, "model=infogan"]])
def test_the_generator_learns_what_it_would_from_the_same_noise(words: list[str]) -> None:
    """Its gradients are those of the same batch played anew, against the discriminator as it is after its turn."""
    rounds = round_of(*words, REUSE, "tricks=[]")
    game, seen = rounds.game, []
    terms = game.terms
    game.terms = lambda player, batch: (seen.append((player, batch)), terms(player, batch))[1]  # type: ignore[method-assign]
    for learner in rounds.learners.values():
        learner.step = lambda: None  # type: ignore[assignment]
    rounds.play(Progress())
    (*_, (last, of_d), (player, of_g)) = seen
    assert (last, player) == ("discriminator", "generator")
    assert of_g.fakes is of_d.fakes
    assert of_g.data is of_d.data
    learner = rounds.learners["generator"]
    found = [p.grad.clone() for p in learner.parameters if p.grad is not None]
    learner.optimizer.zero_grad()
    anew = type(of_g)(of_g.data, of_g.latent, of_g.step, of_g.plan)
    torch.stack(list(terms("generator", anew).values())).sum().backward()
    wanted = [p.grad for p in learner.parameters if p.grad is not None]
    assert found
    for ours, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_real_samples_are_drawn_once_for_both() -> None:
    """A relativistic generator compares its fakes with those real samples that the discriminator compared them with."""
    rounds, progress = round_of(*POINTS, REUSE), Progress()
    assert rounds.game.turns[1].real
    rounds.play(progress)
    assert progress.position == 8


@pytest.mark.parametrize("model", [*DATA, *PLAIN])
def test_every_game_of_two_plays(model: str) -> None:
    """Two rounds, each with a forward of the generator less, and every player moves."""
    words = [*SMALL, f"dataset={DATA.get(model, 'digits')}", f"model={model}"]
    rounds = round_of(*words, REUSE)
    before = {name: [p.detach().clone() for p in x.parameters] for name, x in rounds.learners.items()}
    progress = Progress()
    for _ in range(2):
        rounds.play(progress, observe=True)
    assert all(torch.tensor(value).isfinite() for value in rounds.meter.read().values())
    for name, learner in rounds.learners.items():
        assert any(not torch.equal(a, b) for a, b in zip(before[name], learner.parameters, strict=True))


UNFIT = [
    (["model=gman"], "several discriminators"),
    (["loss.n_generator=2"], "loss.n_generator=1"),
    (["trainer.accumulate=2"], "trainer.accumulate=1"),
    (["dataset=digits_captions", "model=text2image_small"], "other texts|texts between"),
    (["dataset=digits_domains", "model=cyclegan_small"], "several discriminators"),
    (["model=lapgan_small"], "several discriminators"),
]


@pytest.mark.parametrize(("words", "said"), UNFIT)
def test_what_it_does_not_fit_is_refused(words: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        build_game(config("dataset=digits", "trainer.batch_size=8", *words, REUSE))


@pytest.mark.parametrize(
    "words", [*(words for words, _ in UNFIT), ["trainer.execution=compile"], ["trainer.shard=true"]]
)
def test_auto_leaves_it_where_it_does_not_fit(words: list[str]) -> None:
    here = config("dataset=digits", "trainer.batch_size=8", *words, "trainer.reuse_fakes=auto")
    assert not reuses_fakes(here, build_game(here))


def test_auto_takes_it_where_it_fits() -> None:
    here = config(*SMALL, "trainer.reuse_fakes=auto")
    assert reuses_fakes(here, build_game(here))
