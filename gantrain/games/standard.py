"""One generator against one discriminator (Goodfellow et al. 2014)."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import torch
from torch import Tensor

from gantrain.games.base import Batch, Game, Request, Turn
from gantrain.losses import Objective, TargetLoss
from gantrain.losses.penalties import verdict
from gantrain.networks import Discriminator, Generator, Noise
from gantrain.networks.layers import samples_meet
from gantrain.tricks.base import Context, Seen, Trick


class Standard(Game):
    """The two-player game.

    Args:
        generator, discriminator: the players.
        noise: what the generator starts from.
        loss: what they fight for.
        tricks: by name, in the user's order.
    """

    generator: Generator
    discriminator: Discriminator

    def __init__(
        self,
        generator: Generator,
        discriminator: Discriminator,
        noise: Noise,
        loss: Objective,
        tricks: Mapping[str, Trick] | None = None,
    ) -> None:
        super().__init__(loss)
        self.generator, self.discriminator, self.noise = generator, discriminator, noise
        self.install(tricks or {})
        self.generator_needs_real = loss.adversarial.needs_real or any(t.needs_real for t in self.each_trick())
        self.meet = samples_meet(self.discriminator)
        self.turns = (
            Turn("discriminator", loss.n_critic),
            Turn("generator", loss.n_generator, real=self.generator_needs_real),
        )

    def latents(self, n: int) -> dict[str, Tensor]:
        return {"noise": self.noise.draw(n, self.device)}

    def phase(self, player: str, played: int) -> Hashable:
        """The names of the penalties that are due in this turn."""
        if player != "discriminator":
            return ()
        return tuple(name for name, penalty in self.loss.penalties.items() if played % penalty.every == 0)

    def terms(self, player: str, batch: Batch) -> dict[str, Tensor]:
        return self._discriminator_terms(batch) if player == "discriminator" else self._generator_terms(batch)

    @torch.no_grad()
    def sample(self, request: Request) -> dict[str, Tensor]:
        generator = self.finished("generator")
        noise = request.latent.get("noise")
        training = generator.training
        generator.eval()
        samples = generator(self.latents(request.n)["noise"] if noise is None else noise)
        generator.train(training)
        return {"samples": samples.float()}

    def _discriminator_terms(self, batch: Batch) -> dict[str, Tensor]:
        with torch.no_grad():
            fake = self.generator(batch.latent["noise"])
        for trick in self.each_trick():
            fake = trick.fakes(fake)
        shown: dict[str, Tensor] = {"real": self.view(batch.data["real"]), "fake": self.view(fake)}
        due = {name: penalty for name, penalty in self.loss.penalties.items() if name in _names(batch.phase)}

        # a penalty at the very samples that are judged shares their forward, where that is float32
        shared: set[str] = (
            set() if torch.is_autocast_enabled(fake.device.type) else {p.at for p in due.values() if p.at}
        )
        for name in shared:
            shown[name] = shown[name].detach().requires_grad_(True)
        if self.meet or len(shared) == 1:
            logits = {name: self.discriminator(x) for name, x in shown.items()}
        else:
            both = self.discriminator(torch.cat([shown["real"], shown["fake"]]))
            logits = dict(zip(shown, both.split([len(x) for x in shown.values()]), strict=True))
        self.observed = {name: x.detach() for name, x in logits.items()}

        seen = self.seen("discriminator", Seen(real=logits["real"], fake=logits["fake"]))
        assert seen.real is not None
        adversarial = self.loss.adversarial
        value = (
            adversarial.discriminator(seen.real, seen.fake, seen.real_target, seen.fake_target)
            if isinstance(adversarial, TargetLoss)
            else adversarial.discriminator(seen.real, seen.fake)
        )
        terms = {"adversarial": value}
        gradients: dict[str, Tensor] = {}
        if shared:
            at = [name for name in shown if name in shared]
            total = torch.stack([verdict(logits[name]) for name in at]).sum()
            found = torch.autograd.grad(total, [shown[name] for name in at], create_graph=True)
            gradients = dict(zip(at, found, strict=True))
        for name, penalty in due.items():
            amount = (
                penalty.value(gradients[penalty.at])
                if penalty.at in gradients
                else penalty(self.discriminator, shown["real"], shown["fake"])
            )
            terms[name] = penalty.weight * penalty.every * amount
        context = Context(self, batch, shown["fake"], logits["fake"], shown["real"], logits["real"], terms)
        return self.with_tricks("discriminator", context)

    def _generator_terms(self, batch: Batch) -> dict[str, Tensor]:
        fake = self.view(self.generator(batch.latent["noise"]))
        fake_logits = self.discriminator(fake)
        real = real_logits = None
        if self.generator_needs_real:
            with torch.no_grad():
                real = self.view(batch.data["real"])
                real_logits = self.discriminator(real)
        seen = self.seen("generator", Seen(real=real_logits, fake=fake_logits))
        terms = {"adversarial": self.loss.adversarial.generator(seen.fake, seen.real)}
        return self.with_tricks("generator", Context(self, batch, fake, fake_logits, real, real_logits, terms))


def _names(phase: Hashable) -> tuple[str, ...]:
    return phase if isinstance(phase, tuple) else ()
