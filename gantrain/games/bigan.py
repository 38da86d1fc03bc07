"""An encoder plays with the generator (Donahue et al. 2017, BiGAN; Dumoulin et al. 2017, ALI)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Literal

from torch import Tensor, nn

from gantrain.games.base import Request
from gantrain.games.standard import Standard
from gantrain.losses import Objective
from gantrain.networks import Discriminator, Generator, Noise
from gantrain.networks.heads import Classifier, PairDiscriminator
from gantrain.ranges import WIDTH, within
from gantrain.tricks import Trick, TurnContext
from gantrain.turns import Batch, Comparison, LossInputs, Samples


class GeneratorWithEncoder(Generator):
    """A generator and the encoder that should be its inverse, as one player."""

    def __init__(self, decoder: Generator, encoder: nn.Module) -> None:
        super().__init__()
        self.decoder, self.encoder = decoder, encoder

    def forward(self, noise: Tensor, condition: Tensor | None = None) -> Tensor:
        return self.decoder(noise, condition)


class Encoder(Classifier):
    """Samples (N, *shape) to codes (N, nz) in the range of the noise: else D could tell codes from noise by it."""

    def __init__(self, network: Callable[[], Discriminator], noise: Noise) -> None:
        super().__init__(network, noise.dim)
        self.noise = noise

    def forward(self, x: Tensor) -> Tensor:
        return self.noise.bound(super().forward(x))


class BiGAN(Standard):
    """D judges pairs: (x, E(x)) are real, (G(z), z) fake. Generator and encoder together want both taken for the other.

    Their loss is the sum of both parts of the exchanged game (Donahue et al. 2017, section 3, with the inverse
    objective of Goodfellow et al. where the value function is nonsaturating).

    Args:
        encoder: makes a network whose trunk the encoder takes; the discriminator's by default.
        width, norm: of the layer in D where sample and code meet.
        code_hidden: widths of layers that the code passes before; None for one of that width.

    Raises:
        ValueError: a trick would leave the encoder out; samples meet where the loss forbids it.
    """

    conditions = ("code",)
    labelled = True
    reconstructs = True

    def __init__(
        self,
        generator: Callable[..., Generator],
        discriminator: Callable[..., Discriminator],
        noise: Noise,
        loss: Objective,
        encoder: Callable[..., Discriminator] | None = None,
        width: int = 256,
        code_hidden: list[int] | None = None,
        norm: Literal["batch", "layer", "none"] = "none",
        tricks: Mapping[str, Trick] | None = None,
    ) -> None:
        if norm == "batch" and loss.per_sample:
            raise ValueError(
                "samples meet in batch norm, but this loss takes a gradient per sample: set model.norm=layer"
            )
        self.make_encoder, self.width, self.norm = encoder or discriminator, width, norm
        self.code_hidden = [width] if code_hidden is None else code_hidden
        within(WIDTH, width=width, code_hidden=self.code_hidden)
        super().__init__(generator, discriminator, noise, loss, tricks)

    def build_players(self, generator: Callable[..., Generator], discriminator: Callable[..., Discriminator]) -> None:
        dim = self.noise.dim
        self.generator = GeneratorWithEncoder(generator(noise_dim=dim), Encoder(self.make_encoder, self.noise))
        self.discriminator = PairDiscriminator(discriminator, dim, self.width, self.code_hidden, self.norm)

    def install(self, tricks: Mapping[str, Trick]) -> None:
        super().install(tricks)
        self.generator_needs_real = True
        self.turns = tuple(replace(turn, real=True) for turn in self.turns)

    def generate(self, batch: Batch, averaged: bool = False) -> Mapping[str, Samples]:
        noise = batch.latent["noise"]
        return self.to_each(Samples(self.network("generator", averaged)(noise), {"code": noise}))

    def real(self, batch: Batch) -> Mapping[str, Samples]:
        encoder = self.get_submodule("generator.encoder")
        return self.to_each(Samples(batch.data["real"], {"code": encoder(batch.data["real"])}))

    def generator_turn(self, generator: str, fakes: Mapping[str, Samples], batch: Batch) -> TurnContext:
        ((name, made),) = fakes.items()
        fake = self.score(name, self.discriminator_inputs(made, batch), batch)
        real = self.score(name, self.discriminator_inputs(self.real(batch)[name], batch), batch)
        inputs = LossInputs(real=real.logits, fake=fake.logits)
        inputs = self.tricks.targets(self.player(generator), inputs, batch)
        adversarial = self.loss.adversarial
        assert inputs.real is not None
        value = adversarial.generator(inputs.fake, inputs.real)
        if not adversarial.needs_real:
            value = value + adversarial.encoder(inputs.real)
        return TurnContext(self, batch, fakes, {name: Comparison(fake, real)}, {"adversarial": value})

    def sample(self, request: Request) -> dict[str, Samples]:
        """From inputs it makes their reconstructions G(E(x)) and says the codes."""
        if "real" not in request.inputs:
            return super().sample(request)
        coder = self.network("generator")
        assert isinstance(coder, GeneratorWithEncoder)
        with self.evaluating(coder):
            code = coder.encoder(request.inputs["real"].to(self.device))
            return {"samples": Samples(coder.decoder(code).float(), {"code": code.float()})}
