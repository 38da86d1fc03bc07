"""Discriminators judge what generators make, whatever it is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from gantrain.games.base import Game, Request
from gantrain.losses import Forward, TargetLoss
from gantrain.losses.penalties import gradient_leaves, input_gradients
from gantrain.networks import Discriminator
from gantrain.tricks import Trick, TurnContext
from gantrain.turns import Batch, Comparison, LossInputs, Samples, Scores, Turn


class Adversarial(Game):
    """A game of discriminators against generators; what it leaves open is who they are and what samples are made of.

    `only_adversarial`: beside penalties, and what tricks add, players minimise nothing but their part of the value.
    """

    only_adversarial: bool = True

    def without_value(self) -> str | None:
        if len(self.discriminators) > 1:
            return "here each of several discriminators has one of its own"
        if len(self.turns) > 2 or not self.only_adversarial:
            return "here the players learn other things beside"
        for trick in self.tricks.each():
            if any(term.endswith("/adversarial") for term in trick.drops):
                return f"{trick.name} lets a player learn something else instead"
        return None

    def install(self, tricks: Mapping[str, Trick]) -> None:
        super().install(tricks)
        self.generator_needs_real = self.loss.adversarial.needs_real or self.tricks.needs_real
        moves = (self.loss.n_generator, self.generator_needs_real or bool(self.inputs), self.loss.generator_batches)
        self.turns = (
            *(Turn(name, self.loss.n_critic) for name in self.discriminators),
            *(Turn(name, *moves) for name in self.generators),
        )

    def without_reuse(self) -> str | None:
        if len(self.discriminators) > 1 or len(self.generators) > 1:
            return "its several discriminators or generators do not all play the same fakes; leave it out"
        if self.loss.n_generator > 1 or self.loss.generator_batches > 1:
            return (
                "the generator plays other samples than the discriminator: set loss.n_generator=1 and "
                "loss.generator_batches=1, or leave it out"
            )
        return None

    def score(self, discriminator: str, inputs: Samples, batch: Batch) -> Scores:
        network = self.get_submodule(discriminator)
        assert isinstance(network, Discriminator)
        conditions = {name: inputs.conditions[name] for name in self.conditions_of(discriminator)}
        return Scores(inputs, *network.score(inputs.x, **conditions))

    @property
    def sample_sets(self) -> Mapping[str, str]:
        """The discriminator that judges such samples, by the name of each set that `sample` gives."""
        return {"samples": self.discriminators[0]}

    def sample(self, request: Request) -> dict[str, Samples]:
        latent = {**self.latents(request.n), **request.latent}
        data = {name: values.to(self.device) for name, values in request.inputs.items()}
        batch = self.batch_at(request.step, latent, data)
        with self.evaluating(*(self.network(name) for name in self.generators)):
            return self.samples_of(batch)

    def samples_of(self, batch: Batch) -> dict[str, Samples]:
        """The sets of samples that `sample` gives, of a batch with their latents; made by networks as they are."""
        fakes = self.fakes_for(tuple(self.sample_sets.values()), batch, averaged=True)
        return {name: replace(fakes[by], x=fakes[by].x.float()) for name, by in self.sample_sets.items()}

    def terms(self, player: str, batch: Batch) -> dict[str, Tensor]:
        if player not in self.discriminators:
            fakes = batch.fakes or self.fakes_for(self.opponents(player), batch)
            return self.trick_terms(player, self.generator_turn(player, fakes, batch))
        with torch.no_grad():
            (made,) = (batch.fakes or self.fakes_for((player,), batch)).values()
        made = made.map(Tensor.detach)
        context = self.discriminator_turn(player, self.tricks.fakes(self.player(player), made), batch)
        if self.observing:
            for kind, scores in vars(context.comparisons[player]).items():
                self.observed[kind] = scores.logits.detach()
            self.observed_fakes = made.x.detach()
        return self.trick_terms(player, context)

    def discriminator_turn(self, discriminator: str, fakes: Samples, batch: Batch) -> TurnContext:
        samples = {"real": self.real(batch)[discriminator], "fake": fakes}
        due = {name: self.loss.penalties[name] for name in batch.plan.penalties}
        autocast = torch.is_autocast_enabled(fakes.x.device.type)
        places = [penalty.shared_at(autocast) for penalty in due.values()]
        shared = [at for at in places if at is not None]
        names = self.conditions_of(discriminator)
        leaves: dict[str, Samples] = {kind: gradient_leaves(samples[kind].only(names, self.given)) for kind in shared}
        for kind, leaf in leaves.items():
            samples[kind] = Samples(leaf.x, {**samples[kind].conditions, **leaf.conditions})

        inputs = {kind: self.discriminator_inputs(x, batch) for kind, x in samples.items()}
        scores = self._score_both(discriminator, inputs, batch, separately=len(leaves) == 1)
        logits = {kind: found.logits for kind, found in scores.items()}
        terms = {
            "adversarial": self.value(self.tricks.targets(self.player(discriminator), LossInputs(**logits), batch))
        }

        gradients = input_gradients(logits, leaves) if leaves else {}
        forward = Forward(
            samples={kind: x.only(names, self.given) for kind, x in samples.items()},
            inputs={kind: x.only(names, self.given) for kind, x in inputs.items()},
            logits_of=lambda x: self.score(discriminator, x, batch).logits,
            prepare=lambda x: self.discriminator_inputs(x, batch),
            pack=self.tricks.pack,
            logits=logits,
        )
        terms |= {name: penalty.term(forward, gradients) for name, penalty in due.items()}
        return TurnContext(self, batch, {discriminator: fakes}, {discriminator: Comparison(**scores)}, terms)

    def value(self, inputs: LossInputs) -> Tensor:
        """What the discriminator minimises of the value function."""
        assert inputs.real is not None
        adversarial = self.loss.adversarial
        if isinstance(adversarial, TargetLoss):
            return adversarial.discriminator(inputs.real, inputs.fake, inputs.real_target, inputs.fake_target)
        return adversarial.discriminator(inputs.real, inputs.fake)

    def generator_turn(self, generator: str, fakes: Mapping[str, Samples], batch: Batch) -> TurnContext:
        comparisons, values = {}, []
        prepared: dict[int, Samples] = {}  # samples that several discriminators judge are augmented once
        for name, made in fakes.items():
            if id(made) not in prepared:
                prepared[id(made)] = self.discriminator_inputs(made, batch)
            scores, real = self.score(name, prepared[id(made)], batch), None
            if self.generator_needs_real:
                real = self.score(name, self.discriminator_inputs(self.real(batch)[name], batch), batch)
            comparisons[name] = Comparison(scores, real)
            inputs = LossInputs(real=real.logits if real else None, fake=scores.logits)
            inputs = self.tricks.targets(self.player(generator), inputs, batch)
            values.append(self.loss.adversarial.generator(inputs.fake, inputs.real))
        terms = {"adversarial": self.aggregate(values, batch)}
        return TurnContext(self, batch, fakes, comparisons, terms)

    def _score_both(
        self, discriminator: str, inputs: Mapping[str, Samples], batch: Batch, separately: bool
    ) -> dict[str, Scores]:
        """Scores of real and fake, in one call where samples do not meet and nothing speaks against it."""
        if separately or discriminator not in self.scores_together:
            return {kind: self.score(discriminator, x, batch) for kind, x in inputs.items()}
        sizes = [len(x) for x in inputs.values()]
        conditions = {key: torch.cat([x.conditions[key] for x in inputs.values()]) for key in inputs["real"].conditions}
        both = self.score(discriminator, Samples(torch.cat([x.x for x in inputs.values()]), conditions), batch)
        parts = zip(inputs.items(), both.logits.split(sizes), both.features.split(sizes), strict=True)
        return {kind: Scores(x, logits, features) for (kind, x), logits, features in parts}
