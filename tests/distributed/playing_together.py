"""A process of several that play the rounds of each config that comes in a line, and tell how far they are from one's.

Started by the fixture `together` with the variables that torchrun sets. A line is {"words": […], "double": true}, and
so is the answer of the first process: {"worst": …, "where": …, "kept": …} or {"refused": …}; `kept` is the share of all
parameters that this process has between turns. Without words they tell what they agree on.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1]))

from conftest import config, round_from

from gantrain.errors import UserError
from gantrain.sharded import local, whole
from gantrain.training.processes import Processes
from gantrain.training.ranks import ALONE, Ranks
from gantrain.training.rounds import Rounds
from gantrain.training.state import Learner, Progress

ROUNDS = 2
IN_FLOAT = Tensor.float


def played(words: list[str], ranks: Ranks) -> tuple[dict[str, Tensor], float]:
    """The gradients of every turn, what rounds leave behind (weights, buffers, logged numbers), and what is `kept`."""
    rounds = round_from(config(*words), ranks)
    found: dict[str, Tensor] = {}
    update = Rounds._update

    def noted(self: Rounds, learner: Learner, samples: int) -> None:
        slopes = [whole(p.grad).flatten() for p in learner.parameters if p.grad is not None]
        found[f"turn {len(found)} of {learner.name}"] = torch.cat(slopes).clone()
        update(self, learner, samples)

    Rounds._update = noted  # type: ignore[method-assign]
    try:
        progress = Progress()
        for _ in range(ROUNDS):
            rounds.play(progress)
    finally:
        Rounds._update = update  # type: ignore[method-assign]
    found |= {name: whole(values).clone() for name, values in rounds.game.state_dict().items() if tensor(values)}
    found |= {tag: torch.tensor(value) for tag, value in rounds.meter.read().items()}
    return found, kept(rounds)


def kept(rounds: Rounds) -> float:
    """The share of all numbers of parameters, averages and optimizer states that this process has."""
    states = [learner.optimizer.state.values() for learner in rounds.learners.values()]
    moments = [x for of in states for state in of for x in state.values() if tensor(x) and x.dim()]
    held = [*rounds.game.parameters(), *moments]
    return sum(local(x).numel() for x in held) / sum(x.numel() for x in held)


def tensor(values: object) -> bool:
    return isinstance(values, Tensor) and values.numel() > 0


def apart(mine: dict[str, Tensor], wanted: dict[str, Tensor]) -> tuple[float, str]:
    """The largest distance of a tensor from what it should be, over the largest number there, and where it is."""
    worst, where = 0.0, ""
    for name in wanted:
        a, b = mine[name].double(), wanted[name].double()
        distance = float((a - b).abs().max() / b.abs().max().clamp(min=1e-3))
        if not distance <= worst:
            worst, where = distance, name
    return worst, where


def answer(asked: dict[str, object], ranks: Ranks) -> dict[str, object]:
    words = [str(word) for word in asked["words"]]  # type: ignore[union-attr]
    double = bool(asked["double"])
    torch.set_default_dtype(torch.float64 if double else torch.float32)
    Tensor.float = Tensor.double if double else IN_FLOAT  # type: ignore[method-assign]  # losses ask for float32
    try:
        mine, share = played(words, ranks)
    except UserError as error:
        return {"refused": str(error)}
    names = ranks.first(lambda: sorted(mine))
    assert names == sorted(mine), "all processes keep the same"
    everyone = [ranks.add(values.double()) / ranks.count for values in (mine[name] for name in names)]
    equal = all(torch.allclose(a, mine[name].double(), rtol=1e-12) for a, name in zip(everyone, names, strict=True))
    if not equal:
        return {"worst": 1.0, "where": "a process that is apart from the others"}
    if ranks.number:
        return {}
    worst, where = apart(mine, played(words, ALONE)[0])
    return {"worst": worst, "where": where, "kept": share}


def agreed(ranks: Ranks) -> dict[str, object]:
    """What each process says for itself, and what they make of it."""
    torch.set_default_dtype(torch.float64)
    first = ranks.number == 0
    both, one, none = (torch.nn.Parameter(torch.zeros(2)) for _ in range(3))
    both.grad = torch.full((2,), 2.0 if first else 4.0)
    one.grad = None if first else torch.full((2,), 6.0)
    ranks.average_gradients([both, one, none])
    stopped, seconds = ranks.agree(None if first else signal.SIGTERM, 5.0 if first else 9.0)
    x = torch.tensor(1.0 if first else 2.0, requires_grad=True)
    cube = ranks.add(x) ** 3
    (slope,) = torch.autograd.grad(cube, x, create_graph=True)
    (second,) = torch.autograd.grad(slope, x)
    state = ranks.state(lambda: {"weights": torch.arange(3.0), "step": 7})
    weights = torch.full((2,), float(ranks.number))
    ranks.spread([weights])
    return {
        "gradients": [p.grad.tolist() if p.grad is not None else None for p in (both, one, none)],
        "stopped": [int(stopped or 0), seconds],
        "derivatives": [cube.item(), slope.item(), second.item()],
        "state": [state["weights"].tolist(), state["step"]] if state is not None else None,
        "nothing": ranks.state(lambda: None),
        "first": ranks.first(lambda: {"figure": 0.1}),
        "in_turn": ranks.in_turn(lambda: ranks.number) == ranks.number,
        "spread": weights.tolist(),
        "numbers": ranks.mean(torch.tensor([1.0 if first else 3.0])).tolist(),
    }


def main() -> None:
    torch.set_num_threads(1)
    ranks = Processes()
    for line in sys.stdin:
        asked = json.loads(line)
        said = answer(asked, ranks) if asked["words"] else agreed(ranks)
        same = ranks.first(lambda said=said: said) == said if not asked["words"] else True
        if ranks.add(torch.tensor(float(same))) < ranks.count:
            said = {"apart": said}
        if ranks.number == 0:
            print(json.dumps(said), flush=True)
    ranks.close()


if __name__ == "__main__":
    assert "RANK" in os.environ
    main()
