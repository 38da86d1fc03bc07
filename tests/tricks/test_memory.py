"""Tricks that remember: past weights, past fakes; and all that have a state, when a run goes on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from bare import DISCRIMINATOR, GENERATOR, Bare, batch_of, begun, context_of
from conftest import config, round_of
from torch import Tensor, nn

from gantrain.commands.assembly import build_game
from gantrain.errors import UserError
from gantrain.runs import CheckpointFiles, load_checkpoint
from gantrain.training.checkpoints import Checkpoints, load_game
from gantrain.training.rounds import Progress, Rounds
from gantrain.tricks import ExperienceReplay, HistoricalAveraging
from gantrain.turns import Batch, Player, Samples

RING = ["dataset=ring8", "loss=nonsaturating", "trainer.batch_size=8"]
DCGAN = ["dataset=digits", "model=dcgan", "model.generator.width=4", "model.discriminator.width=4"]
DCGAN += ["loss=nonsaturating", "trainer.batch_size=8"]


def pays(game: Bare, player: Player = GENERATOR) -> float:
    trick = game.tricks.each()[0]
    return trick.terms(player, context_of(game))["historical_averaging"].item()


def test_historical_averaging_by_hand() -> None:
    """Weights 1, 3, 8, 4 have the means 1, 2, 4, 4 so far; each turn pays weight · (now - mean)²."""
    network = nn.Linear(1, 1, bias=False)
    trick = HistoricalAveraging(weight=0.5)
    nn.init.constant_(network.weight, 1.0)
    game = begun(Bare(trick, generator=network))
    found = [pays(game)]
    for value in (3.0, 8.0, 4.0):
        nn.init.constant_(network.weight, value)
        trick.after_update(GENERATOR, game, 8)
        found.append(pays(game))
    assert found == pytest.approx([0, 0.5 * (3 - 2) ** 2, 0.5 * (8 - 4) ** 2, 0])


def test_historical_averaging_pulls_towards_the_mean() -> None:
    network = nn.Linear(2, 1)
    trick = HistoricalAveraging(weight=3.0)
    game = begun(Bare(trick, generator=network))
    assert pays(game) == 0
    with torch.no_grad():
        for p in network.parameters():
            p.add_(2.0)
    trick.after_update(GENERATOR, game, 8)
    term = trick.terms(GENERATOR, context_of(game))["historical_averaging"]
    for slope in torch.autograd.grad(term, list(network.parameters())):
        torch.testing.assert_close(slope, torch.full_like(slope, 3 * 2 * 1.0))


def test_each_player_has_its_own_history() -> None:
    trick = HistoricalAveraging(players=["discriminator"])
    game = begun(Bare(trick, generator=nn.Linear(1, 1), discriminator=nn.Linear(1, 1)))
    assert trick.terms(GENERATOR, context_of(game)) == {}
    assert pays(game, DISCRIMINATOR) == 0
    trick.after_update(GENERATOR, game, 8)
    rounds, progress = round_of(*RING, "tricks=[historical_averaging]"), Progress()
    for _ in range(2):
        rounds.play(progress)
    held = {name: x for name, x in rounds.game.state_dict().items() if name.startswith("tricks.")}
    assert len(held) == 2 + sum(len(learner.parameters) for learner in rounds.learners.values())
    with pytest.raises(ValueError, match="weight must be 0 or more"):
        HistoricalAveraging(weight=-1.0)


class Numbers(Bare):
    """Its fakes for each discriminator are rows of two equal numbers; the same number is their condition "turn"."""

    def generate(self, batch: Batch, averaged: bool = False) -> Mapping[str, Samples]:
        return {name: numbered(batch.latent["number"]) for name in self.discriminators}


def numbered(numbers: Tensor) -> Samples:
    return Samples(numbers[:, None].float().expand(-1, 2), {"turn": numbers.long()})


def replay(**settings: float) -> ExperienceReplay:
    """With an empty pool for the one discriminator."""
    trick = ExperienceReplay(**settings)
    trick.begin(Numbers(discriminator=nn.Linear(1, 1)), lambda n, position=0: batch_of(number=torch.zeros(n)))
    return trick


def fakes(trick: ExperienceReplay, turn: int, n: int = 8) -> list[int]:
    """What a discriminator gets where every new fake of the turn is the turn's number, as is its condition."""
    mixed = trick.fakes(DISCRIMINATOR, numbered(torch.full((n,), turn)))
    assert torch.equal(mixed.conditions["turn"].float(), mixed.x[:, 0])
    assert torch.equal(mixed.x[:, 0], mixed.x[:, 1])
    assert mixed.x.shape == (n, 2)
    return mixed.conditions["turn"].tolist()


def pool(trick: ExperienceReplay) -> Tensor:
    return trick.state_dict()["x_discriminator"][:, 0]


def test_nothing_is_replayed_until_the_pool_is_full() -> None:
    """A pool of 10 takes 4 new fakes a turn: it is full after the third, and never grows."""
    torch.manual_seed(0)
    trick = replay(size=10)
    for turn in (1, 2, 3):
        assert fakes(trick, turn) == [turn] * 8
        assert len(pool(trick)) == 10
    assert set(pool(trick).tolist()) == {1, 2, 3}
    for turn in range(4, 30):
        held = pool(trick).clone()
        seen = fakes(trick, turn)
        assert seen[4:] == [turn] * 4
        assert set(seen[:4]) <= set(held.int().tolist()), "old ones, out of the pool"
        now = pool(trick)
        assert len(now) == 10
        assert ((now == turn).sum(), (now != held).sum()) == (4, 4), "as many places change hands"


def test_every_place_of_the_pool_comes_up() -> None:
    torch.manual_seed(0)
    trick = replay(size=4, share=0.5)
    trick.fakes(DISCRIMINATOR, numbered(torch.arange(8)))
    counts = torch.zeros(8)
    for _ in range(500):
        again = replay(size=4, share=0.5)
        again.load_state_dict(trick.state_dict())
        for value in again.fakes(DISCRIMINATOR, numbered(torch.arange(8))).x[:4, 0].int():
            counts[value] += 1
    held = pool(trick).long()
    assert counts.sum() == counts[held].sum(), "nothing but what the pool holds"
    assert (counts[held] / 2000).tolist() == pytest.approx([0.25] * 4, abs=0.04)


def test_new_fakes_take_random_places_of_a_full_pool() -> None:
    torch.manual_seed(0)
    trick = replay(size=8, share=0.5)
    for turn in (1, 2):
        fakes(trick, turn)
    changes = torch.zeros(8)
    seen = set()
    for turn in range(3, 303):
        fakes(trick, turn)
        places = (pool(trick) == turn).nonzero()[:, 0].tolist()
        changes[places] += 1
        seen.add(tuple(places))
    assert (changes / 300).tolist() == pytest.approx([0.5] * 8, abs=0.12)
    assert len(seen) > 50, "of the 70 choices of four places"


def test_only_the_discriminators_turn_fills_the_pool() -> None:
    rounds = round_of(*RING, "loss.n_generator=3", "tricks=[experience_replay]", "tricks.experience_replay.size=100")
    rounds.play(Progress())
    assert rounds.game.state_dict()["tricks.experience_replay.filled_discriminator"] == 4


def test_the_pool_goes_into_a_fresh_game() -> None:
    words = [*RING, "tricks=[experience_replay]", "tricks.experience_replay.size=6"]
    rounds, progress = round_of(*words), Progress()
    for _ in range(3):
        rounds.play(progress)
    state = rounds.game.state_dict()
    fresh = build_game(config(*words))
    assert "tricks.experience_replay.x_discriminator" not in fresh.state_dict()
    fresh.load_state_dict(state)
    assert torch.equal(
        fresh.state_dict()["tricks.experience_replay.x_discriminator"],
        state["tricks.experience_replay.x_discriminator"],
    )
    assert state["tricks.experience_replay.x_discriminator"].abs().sum(1).min() > 0


def test_each_discriminator_has_a_pool_of_its_own() -> None:
    game = Numbers(discriminator_0=nn.Linear(1, 1), discriminator_1=nn.Linear(1, 1))
    trick = ExperienceReplay(size=4)
    trick.begin(game, lambda n, position=0: batch_of(number=torch.zeros(n)))
    for turn in range(1, 9):
        for k, player in enumerate(game.players):
            replayed = trick.fakes(player, numbered(torch.full((8,), 100 * k + turn)))
            assert (replayed.x // 100 == k).all(), "others' fakes never come back"
            assert (trick.get_buffer(f"x_{player.name}") // 100 == k).all()


def test_a_pool_smaller_than_what_is_replayed_is_refused() -> None:
    with pytest.raises(UserError, match="a pool of 3 is smaller than what is replayed"):
        build_game(config(*RING, "tricks=[experience_replay]", "tricks.experience_replay.size=3"))
    for setting in ({"share": 0.0}, {"share": 1.1}, {"size": 0}):
        with pytest.raises(ValueError, match="must be"):
            ExperienceReplay(**setting)


STATEFUL = {
    "historical_averaging": [*RING, "tricks.historical_averaging.weight=0.1"],
    "experience_replay": [*RING, "tricks.experience_replay.size=6"],
    "lecam": [*RING, "tricks.lecam.start=1", "tricks.lecam.decay=0.5"],
    "ada": [*DCGAN, "tricks.ada.interval=3", "tricks.ada.images=100"],
    "virtual_batch_norm": [*DCGAN, "tricks.virtual_batch_norm.size=5"],
    "unrolled": [*RING, "tricks.unrolled.steps=2"],
}


def play(rounds: Rounds, progress: Progress, count: int) -> Rounds:
    for _ in range(count):
        rounds.play(progress)
    return rounds


@pytest.mark.parametrize("trick", STATEFUL)
def test_gone_on_equals_straight(trick: str, tmp_path: Path) -> None:
    """Four rounds equal two, saved, loaded into a game that had played another seed, and two more: bit for bit."""
    words = [*STATEFUL[trick], f"tricks=[{trick},ema]"]
    progress = Progress()
    straight = round_of(*words)
    if trick == "ada":  # which else augments nothing so early
        straight.game.get_buffer("tricks.ada.p").fill_(0.5)
    straight = play(straight, progress, 2)
    checkpoints = Checkpoints(CheckpointFiles(tmp_path), 1, {"config": "", "data": {}})
    assert checkpoints.save(straight.game, straight.learners, progress)
    file = checkpoints.files.of_step(2)
    wanted = play(straight, progress, 2).game.state_dict()

    other = play(round_of(*words, "seed=1"), Progress(), 1)
    state = load_checkpoint(file)
    load_game(other.game, state, "the run")
    for name, learner in other.learners.items():
        learner.optimizer.load_state_dict(state["optimizers"][name])
    other.seed, other.batches = straight.seed, straight.batches
    found = play(other, Progress(**state["progress"]), 2).game.state_dict()
    assert found.keys() == wanted.keys()
    assert [name for name in wanted if not torch.equal(found[name], wanted[name])] == []
    if trick == "ada":
        assert abs(found["tricks.ada.p"].item() - 0.5) == pytest.approx(0.24), "moved once, by turns before and after"
