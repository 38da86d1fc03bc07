"""All tricks of a game as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from torch import Tensor, nn

from gantrain.schedules import Scheduled
from gantrain.tricks.base import Trick
from gantrain.tricks.interface import GameInterface, RunPlan, TurnContext
from gantrain.turns import Batch, DrawBatch, LossInputs, Player, Samples, TurnPlan


class Tricks(nn.ModuleDict):
    """Tricks by name, in the user's order. Each method asks all of them the question of the same name in `Trick`."""

    def __init__(self) -> None:
        super().__init__()
        self._by_hook: dict[str, list[Trick]] = {}

    def each(self) -> list[Trick]:
        """The tricks, in order."""
        return cast(list[Trick], list(self._modules.values()))

    def with_hook(self, name: str) -> list[Trick]:
        """The tricks that have a method of their own of this name, in order; the others' does nothing."""
        if name not in self._by_hook:
            nothing = getattr(Trick, name)
            self._by_hook[name] = [trick for trick in self.each() if getattr(type(trick), name) is not nothing]
        return self._by_hook[name]

    def setup(self, game: GameInterface, tricks: Mapping[str, Trick]) -> None:
        """Takes the tricks in, one by one, each of which sets itself up in the game.

        Raises:
            ValueError: one does not fit the game, or two do not fit each other.
        """
        for name, trick in tricks.items():
            trick.name = name
            for word in trick.players or ():
                if not any(player.is_among([word]) for player in game.players):
                    have = ", ".join(player.name for player in game.players)
                    raise ValueError(f"{name} has no player {word}: its players may be {have}")
            trick.setup(game)
            self[name] = trick
        self._check_each_other()

    def _check_each_other(self) -> None:
        replaced: dict[str, str] = {}
        for trick in self.each():
            for term in trick.replaces:
                if term in replaced:
                    raise ValueError(f"{replaced[term]} and {trick.name} both replace {term}: leave one of them out")
                replaced[term] = trick.name
        for trick in self.each():
            for other in self.each():
                if {*trick.drops} & {*other.shapes}:
                    raise ValueError(f"{trick.name} drops the very loss term that {other.name} works on: leave one out")

    def add_module(self, name: str, module: nn.Module | None) -> None:
        """Takes a trick in under any name, one of a method here too."""
        assert module is not None
        self._modules[name] = module
        self._by_hook = {}

    @property
    def needs_real(self) -> bool:
        return any(trick.needs_real for trick in self.each())

    @property
    def packs_samples(self) -> bool:
        return any(trick.packs_samples for trick in self.each())

    def scheduled(self) -> list[Scheduled]:
        """The settings that a schedule moves."""
        return [setting for trick in self.each() for setting in trick.scheduled()]

    def check(self, plan: RunPlan) -> None:
        for trick in self.each():
            trick.check(plan)

    def begin(self, game: GameInterface, draw: DrawBatch) -> None:
        for trick in sorted(self.each(), key=lambda trick: not trick.begins_first):
            trick.begin(game, draw)

    def plan(self, player: Player, plan: TurnPlan) -> TurnPlan:
        for trick in self.with_hook("plan"):
            plan = trick.plan(player, plan)
        return plan

    def fakes(self, discriminator: Player, fakes: Samples) -> Samples:
        for trick in self.with_hook("fakes"):
            fakes = trick.fakes(discriminator, fakes)
        return fakes

    def augment(self, samples: Samples, batch: Batch) -> Samples:
        def through_all(x: Tensor) -> Tensor:
            for trick in self.with_hook("augment"):
                x = trick.augment(x, batch)
            return x

        return samples.map_pictures(through_all) if self.with_hook("augment") else samples

    def pack(self, samples: Samples) -> Samples:
        for trick in self.with_hook("pack"):
            samples = trick.pack(samples)
        return samples

    def packed_shape(self, shape: list[int]) -> list[int]:
        for trick in self.with_hook("packed_shape"):
            shape = trick.packed_shape(shape)
        return shape

    def targets(self, player: Player, inputs: LossInputs, batch: Batch) -> LossInputs:
        for trick in self.with_hook("targets"):
            inputs = trick.targets(player, inputs, batch)
        return inputs

    def terms(self, player: Player, context: TurnContext) -> dict[str, Tensor]:
        """The loss terms with those that tricks add or replace."""
        terms = dict(context.terms)
        for trick in self.with_hook("terms"):
            terms.update(trick.terms(player, context))
        return terms

    def before_update(self, player: Player, parameters: Sequence[nn.Parameter]) -> None:
        for trick in self.with_hook("before_update"):
            trick.before_update(player, parameters)

    def after_update(self, player: Player, game: GameInterface, samples: int) -> None:
        """First the bounds that parameters keep, then whoever looks at them."""
        for trick in self.with_hook("constrain"):
            trick.constrain(player, game)
        for trick in self.with_hook("after_update"):
            trick.after_update(player, game, samples)

    def numbers(self) -> dict[str, Tensor]:
        """Scalars worth a curve, by their tags."""
        return {
            f"tricks/{trick.name}/{name}": value for trick in self.each() for name, value in trick.numbers().items()
        }

    def should_stop(self, metrics: Mapping[str, float]) -> str | None:
        """The first reason, once every trick has seen the evaluation."""
        reasons = [trick.should_stop(metrics) for trick in self.each()]
        return next((reason for reason in reasons if reason), None)
