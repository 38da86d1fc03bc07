"""What a checkpoint holds: made from a game and its players, and put back into them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from gantrain.errors import UserError
from gantrain.files import FULL
from gantrain.games import Game
from gantrain.runs import CheckpointFiles
from gantrain.sharded import is_sharded, placed_as, whole
from gantrain.training.finite import forget_buffer
from gantrain.training.state import Learner, Progress
from gantrain.training.stepping import without_compiler


class Unsaved(RuntimeError):
    """The disk does not take a checkpoint; the message says which one is the last."""


class Checkpoints:
    """Saves one run's state: the last `keep` stay, and the best.

    `facts` are written into each: the config as YAML text and the tensors that belong to the data, so that one file
    alone is enough to sample from. `mark` tells how far everything is logged: what was logged later belongs to what
    the step still owes then, and is dropped by who goes on from there.

    Where the disk does not take one, `say` is told, and training goes on unless it `stops`: the last ones stay whole.

    Raises:
        UserError: the run's folder `checkpoints` is a link.
    """

    def __init__(
        self,
        files: CheckpointFiles,
        keep: int,
        facts: Mapping[str, Any],
        mark: Callable[[], Mapping[str, int]] = dict,
        say: Callable[[str], None] = print,
        stops: bool = True,
    ) -> None:
        self.files, self.keep, self.facts = files, keep, dict(facts)
        self._mark, self._say, self._stops = mark, say, stops
        self.unsaved: Unsaved | None = None
        files.make()

    def save(self, game: Game, learners: Mapping[str, Learner], progress: Progress, best: bool = False) -> bool:
        """Writes a state that was found good, as the `best` too, then lets go of the oldest; whether that was possible.

        Raises:
            Unsaved: it was not, and the run stops.
        """
        state = {**state_of(game, learners), "progress": asdict(progress), "logged": dict(self._mark()), **self.facts}
        return self._on_disk(progress.step, lambda: self._write(state, progress.step, best))

    def mark_best(self, step: int) -> bool:
        """Keeps a copy of a step's checkpoint as the best; returns and raises as `save`."""
        return self._on_disk(step, lambda: self.files.mark_best(self.files.of_step(step)))

    def _write(self, state: Mapping[str, Any], step: int, best: bool) -> None:
        file = self.files.save(state, step, self.keep)
        if best:
            self.files.mark_best(file)

    def _on_disk(self, step: int, write: Callable[[], None]) -> bool:
        try:
            write()
        except OSError as error:
            self.unsaved = Unsaved(self._sentence(step, error))
            if self._stops:
                raise self.unsaved from error
            self._say(f"{self.unsaved}; training goes on (checkpoint.on_failure=stop ends it)")
            return False
        self.unsaved = None
        return True

    def _sentence(self, step: int, error: OSError) -> str:
        """What could not be saved, and what is."""
        last, reason = self.files.last_step(), error.strerror or str(error)
        what, stays = f"the checkpoint of step {step:,}", f"the last one is of step {last or 0:,}"
        if last is None:
            stays = "none is saved yet"
        elif last == step:
            what, stays = f"what the evaluation of step {step:,} gave", "the checkpoint from before it stays"
        way_out = f": make room in {self.files.path}" if error.errno in FULL else ""
        return f"{what} could not be saved ({reason}), {stays}{way_out}"


def logged_at(state: Mapping[str, Any] | None) -> dict[str, int] | None:
    """How far everything was logged when a checkpoint was saved: nothing where there is none, None if it is unknown."""
    logged = state.get("logged") if state is not None else {}
    plain = isinstance(logged, dict) and all(isinstance(size, int) for size in logged.values())
    return logged if plain else None


def state_of(game: Game, learners: Mapping[str, Learner]) -> dict[str, Any]:
    """All that moves, in whole tensors; where those are shared out, all processes call this together."""
    with without_compiler():
        optimizers = {name: learner.optimizer.state_dict() for name, learner in learners.items()}
    state: dict[str, Any] = _gathered({"game": game.state_dict(), "optimizers": optimizers})
    return state


def _gathered(values: Any) -> Any:
    """A tree of values with every tensor whole and by itself: what lies beside it in memory would be written too."""
    if isinstance(values, Mapping):
        return {key: _gathered(value) for key, value in values.items()}
    if is_sharded(values):
        return whole(values).cpu()
    if isinstance(values, Tensor) and values.untyped_storage().nbytes() > values.nbytes:
        return values.clone()
    return values


def load_players(game: Game, state: Mapping[str, Any], what: str) -> None:
    """Puts the players' weights of a checkpoint into a new game; averages start from them, tricks start anew.

    Raises:
        UserError: they do not fit.
    """
    current = {k: v for k, v in game.state_dict().items() if k.startswith(("averages.", "tricks."))}
    players = {k: v for k, v in state["game"].items() if not k.startswith(("averages.", "tricks."))}
    load_game(game, {"game": {**players, **current}}, what)
    for name, average in game.averages.items():
        average.load_state_dict(game.get_submodule(name).state_dict())


def load_game(game: Game, state: Mapping[str, Any], what: str) -> None:
    """Puts a checkpoint's weights into a game.

    Raises:
        UserError: they do not fit.
    """
    now = game.state_dict()
    weights = {name: placed_as(value, now.get(name, value)) for name, value in state["game"].items()}
    try:
        game.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).splitlines()[1].split())[:200] if "\n" in str(error) else str(error)
        raise UserError(f"the weights of {what} do not fit this model: {reason}") from error


def go_back(state: Mapping[str, Any], game: Game, learners: Mapping[str, Learner], progress: Progress) -> None:
    """Puts a run's own checkpoint back into its game, players and counters.

    The order of the data does not go back: what is played again sees other samples, and `rollbacks` makes it draw other
    numbers.
    """
    for name in game.state_dict().keys() - state["game"].keys():
        forget_buffer(game, name)
    load_game(game, state, "the run")
    load_optimizers(learners, state)
    then = Progress(**state["progress"])
    progress.step, progress.best, progress.figures, progress.ended = then.step, then.best, then.figures, then.ended
    progress.rollbacks += 1


def load_optimizers(learners: Mapping[str, Learner], state: Mapping[str, Any]) -> None:
    """Puts a checkpoint's optimizer states into learners, each tensor in its parameter's order in memory.

    A fused kernel goes through both side by side, and the machine that saved it may have had another order.

    Raises:
        UserError: they do not fit.
    """
    for name, saved in state["optimizers"].items():
        if name not in learners or not _restored(learners[name].optimizer, saved):
            raise UserError(f"the state of the optimizer of {name} does not fit: choose another checkpoint")
    for learner in learners.values():
        for parameter, kept in learner.optimizer.state.items():
            for key, value in kept.items():
                if isinstance(value, Tensor) and value.shape == parameter.shape:
                    kept[key] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def _placed(kept: Mapping[str, Any], parameter: Tensor) -> dict[str, Any]:
    """What an optimizer keeps for a parameter, its tensors of the parameter's shape placed as the parameter is."""
    return {
        key: placed_as(value, parameter) if isinstance(value, Tensor) and value.shape == parameter.shape else value
        for key, value in kept.items()
    }


def _restored(optimizer: Optimizer, saved: Any) -> bool:
    """Puts a state into an optimizer; whether it is one of such an optimizer."""
    before = [dict(group) for group in optimizer.param_groups]
    moved = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    try:
        states = {number: _placed(kept, moved[number]) for number, kept in saved["state"].items()}
        with without_compiler():
            optimizer.load_state_dict({**saved, "state": states})
        return _fits(optimizer, before) or not _is_pytorchs(optimizer)
    except Exception:  # of a stranger's values PyTorch raises many kinds
        return False


def _is_pytorchs(optimizer: Optimizer) -> bool:
    """Whether it is PyTorch's; what one of a trusted package keeps is its own affair."""
    return type(optimizer).__module__.startswith("torch.")


def _fits(optimizer: Optimizer, before: Sequence[Mapping[str, Any]]) -> bool:
    """Whether an optimizer has settings of the kinds that it had before, and moments of its parameters' shapes."""
    for group, old in zip(optimizer.param_groups, before, strict=True):
        if any(name not in old or _kind(group[name]) != _kind(old[name]) for name in group if name != "params"):
            return False
    return all(
        value.shape in ((), parameter.shape) if isinstance(value, Tensor) else isinstance(value, int | float | None)
        for parameter, kept in optimizer.state.items()
        for value in kept.values()
    )


def _kind(setting: Any) -> Any:
    """What a setting of an optimizer is: numbers are of one kind, in a tensor or not, and so are yes, no and unsaid."""
    if setting is None or isinstance(setting, bool):
        return bool
    if isinstance(setting, int | float) or (isinstance(setting, Tensor) and setting.numel() == 1):
        return float
    return [_kind(part) for part in setting] if isinstance(setting, list | tuple) else type(setting)
