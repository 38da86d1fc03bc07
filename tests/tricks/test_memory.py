"""Tricks that remember: past weights, past fakes; and all that have a state, when a run goes on."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from bare import Bare, context_of
from conftest import config, round_of
from torch import Tensor, nn

from gantrain.commands.assembly import build_game
from gantrain.errors import UserError
from gantrain.training.checkpoints import Checkpoints, load, load_game
from gantrain.training.round import Progress, Round
from gantrain.tricks import ExperienceReplay, HistoricalAveraging, Shown

RING = ["dataset=ring8", "loss=nonsaturating", "trainer.batch_size=8"]
DCGAN = ["dataset=digits", "model=dcgan", "model.generator.width=4", "model.discriminator.width=4"]
DCGAN += ["loss=nonsaturating", "trainer.batch_size=8"]


def pays(game: Bare, player: str = "generator") -> float:
    trick = game.each_trick()[0]
    return trick.terms(player, context_of(game))["historical_averaging"].item()


def test_historical_averaging_by_hand() -> None:
    """Weights 1, 3, 8, 4 have the means 1, 2, 4, 4 so far; each turn pays weight · (now - mean)²."""
    network = nn.Linear(1, 1, bias=False)
    trick = HistoricalAveraging(weight=0.5)
    game = Bare(trick, generator=network)
    found: list[float] = []
    for value in (1.0, 3.0, 8.0, 4.0):
        nn.init.constant_(network.weight, value)
        if found:
            trick.after_update("generator", game, 8)
        found.append(pays(game))
    assert found == pytest.approx([0, 0.5 * (3 - 2) ** 2, 0.5 * (8 - 4) ** 2, 0])


def test_historical_averaging_pulls_towards_the_mean() -> None:
    network = nn.Linear(2, 1)
    trick = HistoricalAveraging(weight=3.0)
    game = Bare(trick, generator=network)
    assert pays(game) == 0
    with torch.no_grad():
        for p in network.parameters():
            p.add_(2.0)
    trick.after_update("generator", game, 8)
    term = trick.terms("generator", context_of(game))["historical_averaging"]
    for slope in torch.autograd.grad(term, list(network.parameters())):
        torch.testing.assert_close(slope, torch.full_like(slope, 3 * 2 * 1.0))


def test_each_player_has_its_own_history() -> None:
    trick = HistoricalAveraging(players=["discriminator"])
    game = Bare(trick, generator=nn.Linear(1, 1), discriminator=nn.Linear(1, 1))
    assert trick.terms("generator", context_of(game)) == {}
    assert pays(game, "discriminator") == 0
    trick.after_update("generator", game, 8)
    round, progress = round_of(*RING, "tricks=[historical_averaging]"), Progress()
    for _ in range(2):
        round.play(progress)
    held = {name: x for name, x in round.game.state_dict().items() if name.startswith("tricks.")}
    assert len(held) == 2 + sum(len(player.parameters) for player in round.players.values())
    with pytest.raises(ValueError, match="weight must be 0 or more"):
        HistoricalAveraging(weight=-1.0)


def fakes(trick: ExperienceReplay, turn: int, n: int = 8) -> list[int]:
    """What a discriminator gets where every new fake of the turn is the turn's number, told beside it too."""
    new = torch.full((n, 2), float(turn))
    shown = trick.fakes(Shown(new, {"turn": new[:, 0].long()}))
    assert torch.equal(shown.given["turn"].float(), shown.samples[:, 0])
    assert torch.equal(shown.samples[:, 0], shown.samples[:, 1])
    assert shown.samples.shape == new.shape
    return shown.given["turn"].tolist()


def pool(trick: ExperienceReplay) -> Tensor:
    return trick.state_dict()["samples"][:, 0]


def test_nothing_is_replayed_until_the_pool_is_full() -> None:
    """A pool of 10 takes 4 new fakes a turn: it is full after the third, and never grows."""
    torch.manual_seed(0)
    trick = ExperienceReplay(size=10)
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
    trick = ExperienceReplay(size=4, share=0.5)
    trick.fakes(Shown(torch.arange(8.0)[:, None]))
    counts = torch.zeros(8)
    for _ in range(500):
        again = ExperienceReplay(size=4, share=0.5)
        again.load_state_dict(trick.state_dict())
        for value in again.fakes(Shown(torch.arange(8.0)[:, None])).samples[:4, 0].int():
            counts[value] += 1
    held = pool(trick).long()
    assert counts.sum() == counts[held].sum(), "nothing but what the pool holds"
    assert (counts[held] / 2000).tolist() == pytest.approx([0.25] * 4, abs=0.04)


def test_new_fakes_take_random_places_of_a_full_pool() -> None:
    torch.manual_seed(0)
    trick = ExperienceReplay(size=8, share=0.5)
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
    round = round_of(*RING, "loss.n_generator=3", "tricks=[experience_replay]", "tricks.experience_replay.size=100")
    round.play(Progress())
    assert round.game.state_dict()["tricks.experience_replay.filled"] == 4


def test_the_pool_goes_into_a_fresh_game() -> None:
    words = [*RING, "tricks=[experience_replay]", "tricks.experience_replay.size=6"]
    round, progress = round_of(*words), Progress()
    for _ in range(3):
        round.play(progress)
    state = round.game.state_dict()
    fresh = build_game(config(*words))
    assert "tricks.experience_replay.samples" not in fresh.state_dict()
    fresh.load_state_dict(state)
    assert torch.equal(
        fresh.state_dict()["tricks.experience_replay.samples"], state["tricks.experience_replay.samples"]
    )
    assert state["tricks.experience_replay.samples"].abs().sum(1).min() > 0


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


def play(round: Round, progress: Progress, rounds: int) -> Round:
    for _ in range(rounds):
        round.play(progress)
    return round


@pytest.mark.parametrize("trick", STATEFUL)
def test_gone_on_equals_straight(trick: str, tmp_path: Path) -> None:
    """Four rounds equal two, saved, loaded into a game that had played another seed, and two more: bit for bit."""
    words = [*STATEFUL[trick], f"tricks=[{trick},ema]"]
    progress = Progress()
    straight = round_of(*words)
    if trick == "ada":  # which else augments nothing so early
        straight.game.get_buffer("tricks.ada.p").fill_(0.5)
    straight = play(straight, progress, 2)
    file = Checkpoints(tmp_path, 1, {"config": "", "data": {}}).save(straight.game, straight.players, progress)
    wanted = play(straight, progress, 2).game.state_dict()

    other = play(round_of(*words, "seed=1"), Progress(), 1)
    state = load(file)
    load_game(other.game, state, "the run")
    for name, player in other.players.items():
        player.optimizer.load_state_dict(state["optimizers"][name])
    other.seed, other.batches = straight.seed, straight.batches
    found = play(other, Progress(**state["progress"]), 2).game.state_dict()
    assert found.keys() == wanted.keys()
    assert [name for name in wanted if not torch.equal(found[name], wanted[name])] == []
    if trick == "ada":
        assert abs(found["tricks.ada.p"].item() - 0.5) == pytest.approx(0.24), "moved once, by turns before and after"
