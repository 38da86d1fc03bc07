"""Translation between two domains without pairs (Zhu, Park, Isola & Efros 2017, CycleGAN)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from gantrain.games.adversarial import Adversarial
from gantrain.games.base import Request
from gantrain.games.domains import refuse_one_domain
from gantrain.losses import Objective
from gantrain.networks import Discriminator, Translator
from gantrain.ranges import NOT_NEGATIVE, within
from gantrain.tricks import ExperienceReplay, RunPlan, Trick, TurnContext
from gantrain.turns import Batch, LossInputs, Samples

A, B = "discriminator_a", "discriminator_b"
SMALL, PLACES = 64, {True: 24, False: 4}
"""The side up to which pictures are small, and how many are shown of a run: of small ones, and of others."""


class Translators(nn.Module):
    """Both generators as one player: G from A to B (`a_to_b`) and F from B to A (`b_to_a`)."""

    def __init__(self, a_to_b: Translator, b_to_a: Translator) -> None:
        super().__init__()
        self.a_to_b, self.b_to_a = a_to_b, b_to_a


class CycleGAN(Adversarial):
    """G makes pictures of domain B out of those of A, F the other way, and a discriminator of each domain judges them.

    Both generators minimise together, as one player, L_GAN(G, D_B) + L_GAN(F, D_A) + λ·(E‖F(G(a)) - a‖₁ +
    E‖G(F(b)) - b‖₁) (equations 1 to 3), and the identity loss λ·identity·(E‖G(b) - b‖₁ + E‖F(a) - a‖₁) (section 5.2),
    with means over pixels for the norms. Domain B is "real" and domain A "other".

    Args:
        generator: makes a translating network, told `shape` and `input_shape`.
        discriminator: makes one of a domain, told `shape`.
        shape, other_shape: of pictures of domain B and of domain A.
        weight: λ; 10 in the paper.
        identity: of λ; 0.5 for paintings in the paper and for all in the reference code, 0 leaves the loss out.
        pool: old fakes that each discriminator is shown in the place of half of the new ones, 50 in the paper
            (Shrivastava et al. 2017); 0 for none.

    Raises:
        ValueError: there are no two domains; identity where their pictures have different shapes.
    """

    discriminators = (A, B)
    inputs = ("other", "real")
    grid = ("other", "samples", "cycled", "real", "samples_a", "cycled_b")
    pairs_domains = True
    labelled = True
    only_adversarial = False

    def __init__(
        self,
        generator: Callable[..., Translator],
        discriminator: Callable[..., Discriminator],
        loss: Objective,
        shape: list[int],
        other_shape: list[int] | None,
        weight: float = 10.0,
        identity: float = 0.5,
        pool: int = 50,
        tricks: Mapping[str, Trick] | None = None,
    ) -> None:
        within(NOT_NEGATIVE, weight=weight, identity=identity, pool=pool)
        super().__init__(loss)
        other_shape = refuse_one_domain(other_shape, "cyclegan")
        if identity and shape != other_shape:
            raise ValueError(
                f"the identity loss gives pictures {shape} to a network of pictures {other_shape}: set model.identity=0"
            )
        self.weight, self.identity, self.pool = weight, identity, pool
        self.small = max(shape[1:]) <= SMALL
        self.input_shapes = {"other": other_shape, "real": shape}
        self.generator = Translators(
            generator(shape=shape, input_shape=other_shape), generator(shape=other_shape, input_shape=shape)
        )
        self.discriminator_a, self.discriminator_b = discriminator(shape=other_shape), discriminator(shape=shape)
        pools: dict[str, Trick] = {"image_pool": ExperienceReplay(pool, 0.5, each=True)} if pool else {}
        self.install({**pools, **(tricks or {})})

    def check(self, plan: RunPlan) -> None:
        if self.pool and plan.samples > self.pool:
            raise ValueError(
                f"a pool of {self.pool} old fakes is smaller than a batch of {plan.samples}: set a larger model.pool, "
                "or a smaller trainer.batch_size"
            )
        super().check(plan)

    def ways(self, averaged: bool = False) -> tuple[Translator, Translator]:
        """G and F."""
        both = self.network("generator", averaged)
        assert isinstance(both, Translators)
        return both.a_to_b, both.b_to_a

    def fakes_for(self, discriminators: Collection[str], batch: Batch, averaged: bool = False) -> Mapping[str, Samples]:
        to_b, to_a = self.ways(averaged)
        makers = {A: (to_a, "real"), B: (to_b, "other")}
        return {name: Samples(makers[name][0](batch.data[makers[name][1]])) for name in discriminators}

    def generate(self, batch: Batch, averaged: bool = False) -> Mapping[str, Samples]:
        return self.fakes_for(self.discriminators, batch, averaged)

    def real(self, batch: Batch) -> Mapping[str, Samples]:
        return {A: Samples(batch.data["other"]), B: Samples(batch.data["real"])}

    def terms(self, player: str, batch: Batch) -> dict[str, Tensor]:
        terms = super().terms(player, batch)
        if player == A:  # whoever watches sets fakes beside "real", which is the other domain
            self.observed_fakes = None
        return terms

    def value(self, inputs: LossInputs) -> Tensor:
        """Half of it, as the paper slows D down (section 4)."""
        return super().value(inputs) / 2

    def aggregate(self, values: list[Tensor], batch: Batch) -> Tensor:
        """The sum over both domains (equation 3)."""
        return torch.stack(values).sum()

    def generator_turn(self, generator: str, fakes: Mapping[str, Samples], batch: Batch) -> TurnContext:
        context = super().generator_turn(generator, fakes, batch)
        (to_b, to_a), a, b = self.ways(), batch.data["other"], batch.data["real"]
        terms = {"cycle": self.weight * (_apart(to_a(fakes[B].x), a) + _apart(to_b(fakes[A].x), b))}
        if self.identity:
            terms["identity"] = self.weight * self.identity * (_apart(to_b(b), b) + _apart(to_a(a), a))
        return replace(context, terms={**context.terms, **terms})

    def latents_in_words(self) -> dict[str, str]:
        return {"input": "pixels in [-1, 1] of the pictures to translate"}

    def request(self, n: int, asked: Mapping[str, str]) -> Request:
        if "to" in asked:
            raise ValueError("to=… says where pictures of your own are translated to: add input=<file or folder>")
        return replace(super().request(n, asked), columns=self.columns)

    def preview_request(self, n: int) -> Request:
        return Request(min(n, PLACES[self.small]), columns=self.columns)

    @property
    def columns(self) -> int:
        """Of a picture: one row holds what belongs together, of small pictures twice."""
        return len(self.grid) * (2 if self.small else 1)

    @property
    def sample_sets(self) -> Mapping[str, str]:
        return {"samples": B, "samples_a": A}

    def sample(self, request: Request) -> dict[str, Samples]:
        """Of each domain that is given: "samples" of pictures "other" and "cycled" back; "samples_a" of "real", …"""
        to_b, to_a = self.ways(averaged=True)
        made: dict[str, Samples] = {}
        with self.evaluating(to_b, to_a):
            for kind, back, start, there, home in (
                ("samples", "cycled", "other", to_b, to_a),
                ("samples_a", "cycled_b", "real", to_a, to_b),
            ):
                if start in request.inputs:
                    translated = there(request.inputs[start].to(self.device))
                    made |= {kind: Samples(translated.float()), back: Samples(home(translated).float())}
        return made

    def translator(self, asked: Mapping[str, str]) -> Translator:
        """The word `to` says the domain: b, unless it is a."""
        for word in asked:
            if word != "to":
                raise ValueError(f"{word}=… asks for what this run's game does not know: leave it out")
        to = asked.get("to", "b").lower()
        if to not in ("a", "b"):
            raise ValueError(f"to={to} should be a or b, the domain that pictures are translated to")
        to_b, to_a = self.ways(averaged=True)
        return to_b if to == "b" else to_a


def _apart(made: Tensor, wanted: Tensor) -> Tensor:
    """The mean absolute difference."""
    return (made.float() - wanted).abs().mean()
