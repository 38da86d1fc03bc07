"""A learner's step is to the bit that of its optimizer."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from gantrain.errors import UserError
from gantrain.schedules import Constant, Cosine
from gantrain.training.checkpoints import load_optimizers
from gantrain.training.state import Learner

OPTIMIZERS: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "adam": lambda p: torch.optim.Adam(p, 1e-2, (0.5, 0.9), fused=True),
    "decayed adam": lambda p: torch.optim.Adam(p, 1e-2, weight_decay=0.1, fused=True),
    "adamw": lambda p: torch.optim.AdamW(p, 1e-2, weight_decay=0.1, fused=True),
    "amsgrad": lambda p: torch.optim.Adam(p, 1e-2, amsgrad=True, fused=True),
    "foreach": lambda p: torch.optim.Adam(p, 1e-2, foreach=True),
    "sgd": lambda p: torch.optim.SGD(p, 1e-2, momentum=0.5, fused=True),
    "rmsprop": lambda p: torch.optim.RMSprop(p, 1e-2, foreach=True),
    "two groups": lambda p: torch.optim.Adam([{"params": p[:1]}, {"params": p[1:], "lr": 1e-3}], 1e-2, fused=True),
}


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_steps_are_the_optimizers_own(make: Callable[[Any], torch.optim.Optimizer]) -> None:
    """Over rates that move, a missing gradient, a state that is loaded and one that is forgotten."""
    torch.manual_seed(0)
    ours = [nn.Parameter(torch.randn(5, 3)), nn.Parameter(torch.randn(4))]
    theirs = copy.deepcopy(ours)
    learner = Learner("player", ours, make(ours), Cosine())
    optimizer, rates = make(theirs), learner.rates
    for step in range(12):
        learner.move_to(step, 12)
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * Cosine()(step, 12)
        learner.forget_gradients()
        for a, b in zip(ours, theirs, strict=True):
            a.grad = torch.randn_like(a)
            b.grad = a.grad.clone()
        if step == 5:
            ours[1].grad = theirs[1].grad = None
        if step == 7:
            learner.optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
        if step == 9:
            learner.optimizer.state.clear()
            optimizer.state.clear()
        learner.step()
        optimizer.step()
        for a, b in zip(ours, theirs, strict=True):
            assert torch.equal(a, b), step
    a, b = learner.optimizer.state_dict(), optimizer.state_dict()
    for place, kept in b["state"].items():
        assert all(torch.equal(a["state"][place][key], value) for key, value in kept.items() if value is not None)


def test_a_fused_step_is_its_kernel_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = [nn.Parameter(torch.zeros(2))]
    learner = Learner("player", weights, torch.optim.Adam(weights, fused=True), Constant())
    calls = []
    own = learner.optimizer.step
    monkeypatch.setattr(learner.optimizer, "step", lambda: (calls.append(1), own())[1])
    for _ in range(4):
        weights[0].grad = torch.ones(2)
        learner.step()
    assert not calls


def test_a_rate_that_stays_is_the_configs_after_loading() -> None:
    weights = [nn.Parameter(torch.zeros(2))]
    learner = Learner("player", weights, torch.optim.Adam(weights, 0.1, fused=True), Constant())
    learner.optimizer.load_state_dict(torch.optim.Adam(weights, 0.3, fused=True).state_dict())
    learner.move_to(3, 10)
    assert learner.rate == 0.1


def test_moments_lie_in_memory_as_their_weights_do() -> None:
    """A state from a machine with another order in memory goes on as it would have there."""
    torch.manual_seed(0)
    found = []
    for memory in (torch.contiguous_format, torch.channels_last):
        weight = nn.Parameter(torch.arange(96.0).view(4, 3, 2, 4).contiguous(memory_format=memory))
        learner = Learner("player", [weight], torch.optim.Adam([weight], 1.0, fused=True), Constant())
        moment = torch.linspace(-1, 1, 96).view(4, 3, 2, 4)
        state = {"step": torch.tensor(3.0), "exp_avg": moment, "exp_avg_sq": moment.square() + 0.1}
        saved = {**learner.optimizer.state_dict(), "state": {0: state}}
        load_optimizers({"player": learner}, {"optimizers": {"player": saved}})
        weight.grad = torch.ones_like(weight)
        learner.step()
        found.append(weight.detach().contiguous())
    torch.testing.assert_close(*found, rtol=0, atol=1e-6)


class Factored(torch.optim.SGD):
    """Keeps what PyTorch's own do not: moments of other shapes."""


def test_an_optimizer_of_ones_own_may_keep_what_it_likes() -> None:
    weight = nn.Parameter(torch.zeros(2, 3))
    learner = Learner("player", [weight], Factored([weight], 0.1), Constant())
    kept = {0: {"rows": torch.ones(2), "past": [1, 2]}}
    saved = {**learner.optimizer.state_dict(), "state": kept}
    load_optimizers({"player": learner}, {"optimizers": {"player": saved}})
    assert learner.optimizer.state[weight]["rows"].tolist() == [1, 1]
    plain = Learner("player", [weight], torch.optim.SGD([weight], 0.1), Constant())
    with pytest.raises(UserError, match="does not fit"):
        load_optimizers({"player": plain}, {"optimizers": {"player": saved}})
