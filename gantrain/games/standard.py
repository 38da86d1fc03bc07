"""One generator against one discriminator (Goodfellow et al. 2014)."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping

import torch
from torch import Tensor

from gantrain.games.base import Batch, Game, Request, Turn
from gantrain.losses import Objective, Penalty, TargetLoss
from gantrain.losses.penalties import own, slopes, whole
from gantrain.networks import Discriminator, Generator, Noise
from gantrain.networks.layers import samples_meet
from gantrain.tricks.base import Context, Duel, Judged, Seen, Shown, Trick


class Standard(Game):
    """The two-player game.

    Args:
        generator, discriminator: make the players; the generator is told `noise_dim`.
        noise: what the generator starts from.
        loss: what they fight for.
        tricks: by name, in the user's order.
    """

    generator: Generator
    discriminator: Discriminator

    def __init__(
        self,
        generator: Callable[..., Generator],
        discriminator: Callable[..., Discriminator],
        noise: Noise,
        loss: Objective,
        tricks: Mapping[str, Trick] | None = None,
    ) -> None:
        super().__init__(loss)
        self.noise = noise
        self.seat(generator, discriminator)
        self.install(tricks or {})

    def seat(self, generator: Callable[..., Generator], discriminator: Callable[..., Discriminator]) -> None:
        """Makes the players."""
        self.generator = generator(noise_dim=self.noise.dim)
        self.discriminator = discriminator()

    def install(self, tricks: Mapping[str, Trick]) -> None:
        super().install(tricks)
        self.generator_needs_real = self.loss.adversarial.needs_real or any(t.needs_real for t in self.each_trick())
        self.turns = (
            *(Turn(name, self.loss.n_critic) for name in self.discriminators),
            Turn("generator", self.loss.n_generator, self.generator_needs_real, self.loss.generator_batches),
        )

    def latents(self, n: int) -> dict[str, Tensor]:
        return {"noise": self.noise.draw(n, self.device)}

    def phase(self, player: str, played: int) -> dict[str, Hashable]:
        """With the names of the penalties that are due in this turn."""
        phase = super().phase(player, played)
        if player in self.discriminators:
            phase["penalties"] = tuple(n for n, penalty in self.loss.penalties.items() if played % penalty.every == 0)
        return phase

    def generate(self, latent: Mapping[str, Tensor], finished: bool = False) -> Shown:
        generator = self.finished("generator") if finished else self.generator
        return Shown(generator(latent["noise"]))

    def real(self, batch: Batch) -> Shown:
        return Shown(batch.data["real"])

    def judge(self, discriminator: str, shown: Shown) -> Judged:
        judge = self.get_submodule(discriminator)
        assert isinstance(judge, Discriminator)
        return Judged(shown, *judge.judge(shown.samples, **{name: shown.given[name] for name in self.told}))

    def sample(self, request: Request) -> dict[str, Tensor]:
        with self.resting(*(self.finished(name) for name in self.generators)):
            shown = self.generate({**self.latents(request.n), **request.latent}, finished=True)
        return {"samples": shown.samples.float(), **shown.given}

    def terms(self, player: str, batch: Batch) -> dict[str, Tensor]:
        if player not in self.discriminators:
            return self.with_tricks(player, self.reply(player, self.generate(batch.latent), batch))
        with torch.no_grad():
            made = self.generate(batch.latent)
        for trick in self.each_trick():
            made = trick.fakes(made)
        context = self.contest(player, made, batch)
        for kind, judged in vars(context.duels[player]).items():
            self.observed[kind] = judged.logits.detach()
        return self.with_tricks(player, context)

    def contest(self, discriminator: str, made: Shown, batch: Batch) -> Context:
        taken = {"real": self.real(batch), "fake": made}
        names = batch.phase.get("penalties", ())
        assert isinstance(names, tuple)
        due = {name: self.loss.penalties[name] for name in names}

        # a penalty at the very samples that are judged shares their forward, where that is float32
        autocast = torch.is_autocast_enabled(made.samples.device.type)
        at: list[str] = [] if autocast else [p.at for p in due.values() if p.at]
        shared: dict[str, Shown] = {kind: own(taken[kind].only(self.told)) for kind in at}
        for kind, x in shared.items():
            taken[kind] = Shown(x.samples, {**taken[kind].given, **x.given})
        shown = {kind: self.show(x, batch) for kind, x in taken.items()}
        judged = self._judge_both(discriminator, shown, apart=len(shared) == 1)
        real, fake = judged["real"], judged["fake"]

        seen = self.seen(discriminator, Seen(real=real.logits, fake=fake.logits), batch)
        terms = {"adversarial": self.value(seen)}
        found = slopes({kind: judged[kind].logits for kind in shared}, shared) if shared else {}
        for name, penalty in due.items():
            if penalty.at in found:
                amount = penalty.value(whole(self.fold(found[penalty.at])))
            else:
                amount = self._alone(discriminator, penalty, shown if penalty.at is None else taken, batch)
            terms[name] = penalty.weight * penalty.every * amount
        return Context(self, batch, made, {discriminator: Duel(fake, real)}, terms)

    def _alone(self, discriminator: str, penalty: Penalty, samples: Mapping[str, Shown], batch: Batch) -> Tensor:
        """A penalty with a forward of its own: at samples before any view, or between what D is shown."""
        real, fake = (samples[kind].only(self.told) for kind in ("real", "fake"))
        if penalty.at is None:
            return penalty(lambda x: self.judge(discriminator, x).logits, real, fake)
        return penalty(lambda x: self.judge(discriminator, self.show(x, batch)).logits, real, fake, self.fold)

    def value(self, seen: Seen) -> Tensor:
        """What the discriminator minimises of the value function."""
        assert seen.real is not None
        adversarial = self.loss.adversarial
        if isinstance(adversarial, TargetLoss):
            return adversarial.discriminator(seen.real, seen.fake, seen.real_target, seen.fake_target)
        return adversarial.discriminator(seen.real, seen.fake)

    def reply(self, player: str, made: Shown, batch: Batch) -> Context:
        fake = self.show(made, batch)
        duels = {}
        values = []
        for name in self.discriminators:
            judged, real = self.judge(name, fake), None
            if self.generator_needs_real:
                real = self.judge(name, self.show(self.real(batch), batch))
            duels[name] = Duel(judged, real)
            seen = self.seen(player, Seen(real=real.logits if real else None, fake=judged.logits), batch)
            values.append(self.loss.adversarial.generator(seen.fake, seen.real))
        return Context(self, batch, made, duels, {"adversarial": self.aggregate(values)})

    def _judge_both(self, discriminator: str, shown: Mapping[str, Shown], apart: bool) -> dict[str, Judged]:
        """Real and fake in one call where samples do not meet and nothing speaks against it."""
        if apart or samples_meet(self.get_submodule(discriminator)):
            return {kind: self.judge(discriminator, x) for kind, x in shown.items()}
        sizes = [len(x.samples) for x in shown.values()]
        given = {key: torch.cat([x.given[key] for x in shown.values()]) for key in shown["real"].given}
        both = self.judge(discriminator, Shown(torch.cat([x.samples for x in shown.values()]), given))
        parts = zip(shown.items(), both.logits.split(sizes), both.features.split(sizes), strict=True)
        return {kind: Judged(x, logits, features) for (kind, x), logits, features in parts}
