"""One generator against one discriminator, stepped by hand: what gantrain's rounds are timed against.

`Textbook` is the way of PyTorch's DCGAN example (and, for what that example has not, of the loops that papers publish)
on the very networks, data and losses of a gantrain recipe: float32, D on real and on fakes by calls of their own, fakes
made once where both players have one turn, PyTorch's optimizers as they come, all of D's gradients in G's turn too,
resampling and convolution in two steps. `Bare` is nothing but what gantrain's own step cannot do without: the same
draws, forwards, backwards and updates, in the same order and precision, without the loop around them.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gantrain.commands.parts import Parts
from gantrain.data import Batches
from gantrain.losses import R1, R2, GradientPenalty
from gantrain.losses.adversarial import TargetLoss
from gantrain.losses.penalties import Penalty
from gantrain.networks.resampling import DownConv2d, UpConv2d


class Textbook:
    """Steps of n_critic turns of D and one of G.

    Args:
        parts: of a recipe for the standard or the conditional game without tricks; its networks learn here.
        reuse: gantrain's own step makes fakes once for both players, which a `Bare` one does then too.

    Raises:
        ValueError: the recipe has penalties or optimizers that are not written out here.
    """

    bare = False

    def __init__(self, parts: Parts, batches: Batches, batch_size: int, reuse: bool = False) -> None:
        self.reuse = reuse
        self.game, self.batches, self.n, self.machine = parts.game, batches, batch_size, parts.machine
        self.g, self.d = parts.game.get_submodule("generator"), parts.game.get_submodule("discriminator")
        self.loss, self.position, self.played = parts.game.loss, 0, 0
        self.conditional = bool(parts.game.conditions)
        if unknown := [name for name, x in self.loss.penalties.items() if not isinstance(x, (R1, R2, GradientPenalty))]:
            raise ValueError(f"no textbook has {unknown[0]} here: leave --reference and --bare out")
        learners = [parts.learners[name] for name in ("discriminator", "generator")]
        self.d_weights, self.g_weights = (list(learner.parameters) for learner in learners)
        self.d_step, self.g_step = (self.optimizer(learner.optimizer) for learner in learners)
        if not self.bare:
            UpConv2d.forward, DownConv2d.forward = doubled, halved  # type: ignore[method-assign]

    def optimizer(self, theirs: torch.optim.Optimizer) -> torch.optim.Optimizer:
        """The recipe's optimizer as PyTorch gives it to whoever asks for no more than rate and momenta."""
        if not isinstance(theirs, torch.optim.Adam):
            raise ValueError("the textbook knows Adam: choose a recipe with it")
        group = theirs.param_groups[0]
        return torch.optim.Adam(group["params"], float(group["lr"]), group["betas"], weight_decay=group["weight_decay"])

    def real(self) -> tuple[Tensor, dict[str, Tensor]]:
        data = self.batches.draw(self.position, self.n)
        self.position += self.n
        return data["real"], {"label": data["label"]} if self.conditional else {}

    def fakes(self, n: int) -> tuple[Tensor, dict[str, Tensor]]:
        latent = self.game.latents(n)
        label = {"label": latent["label"]} if self.conditional else {}
        return self.g(latent["noise"], *label.values()), label

    def score(self, x: Tensor, label: dict[str, Tensor]) -> Tensor:
        return self.d(x, **label)

    def penalty(
        self, kind: Penalty, logits: dict[str, Tensor], x: dict[str, Tensor], told: dict[str, Tensor]
    ) -> Tensor:
        """R1 and R2 of the logits that are there, as in their papers' code; between the samples by a new forward."""
        if kind.at is not None:
            (slope,) = torch.autograd.grad(logits[kind.at].sum(), x[kind.at], create_graph=True)
            value = slope.flatten(1).square().sum(1).mean() / 2
        else:
            share = torch.rand(self.n, *[1] * (x["real"].dim() - 1), device=x["real"].device)
            between = (share * x["real"] + (1 - share) * x["fake"]).detach().float().requires_grad_(True)
            with torch.autocast(between.device.type, enabled=False):
                (slope,) = torch.autograd.grad(self.score(between, told).sum(), between, create_graph=True)
            value = (slope.flatten(1).norm(2, 1) - 1).square().mean()
        return float(kind.weight.now) * kind.every * value

    def due(self) -> list[Penalty]:
        """The penalties of this turn of D."""
        self.played += 1
        return [penalty for penalty in self.loss.penalties.values() if penalty.is_due(self.played - 1)]

    def step(self) -> None:
        kept = None
        once = self.loss.n_critic == self.loss.generator_batches == 1
        for _ in range(self.loss.n_critic):
            real, told = self.real()
            made = self.fakes(self.n)
            self.discriminator_turn(real, told, made[0].detach(), made[1])
            kept = made if once else None
        self.generator_turn(kept or self.fakes(self.n * self.loss.generator_batches))

    def discriminator_turn(self, real: Tensor, told: dict[str, Tensor], fake: Tensor, asked: dict[str, Tensor]) -> None:
        self.d_step.zero_grad()
        value, due, x = self.loss.adversarial, self.due(), {"real": real, "fake": fake}
        for kind in due:
            if kind.at is not None:
                x[kind.at].requires_grad_(True)
        if isinstance(value, TargetLoss) and not due:  # a backward for each, as in the example
            value.against(self.score(real, told), value.real_label).mean().backward()
            value.against(self.score(fake, asked), value.fake_label).mean().backward()
        else:
            logits = {"real": self.score(real, told), "fake": self.score(fake, asked)}
            total = value.discriminator(logits["real"], logits["fake"])
            for kind in due:
                total = total + self.penalty(kind, logits, x, told)
            total.backward()
        self.d_step.step()

    def generator_turn(self, made: tuple[Tensor, dict[str, Tensor]]) -> None:
        self.g_step.zero_grad()
        real = self.score(*self.real()) if self.loss.adversarial.needs_real else None
        self.loss.adversarial.generator(self.score(*made), real).backward()
        self.g_step.step()


class Bare(Textbook):
    """The calls of gantrain's step, by hand."""

    bare = True

    def optimizer(self, theirs: torch.optim.Optimizer) -> torch.optim.Optimizer:
        return theirs

    def step(self) -> None:
        made = None
        for number in range(self.loss.n_critic):
            real, told = self.real()
            kept = self.reuse and number == self.loss.n_critic - 1
            self.only(self.g_weights if kept else self.d_weights, self.d_weights if kept else self.g_weights)
            with torch.set_grad_enabled(kept), self.machine.autocast():
                fake, asked = self.fakes(self.n)
            made = (fake, asked) if kept else None
            self.only(self.d_weights, self.g_weights)
            self.discriminator_turn(real, told, fake.detach(), asked)
        self.only(self.g_weights, self.d_weights)
        with self.machine.autocast():
            made = made or self.fakes(self.n * self.loss.generator_batches)
            real = self.score(*self.real()) if self.loss.adversarial.needs_real else None
            total = self.loss.adversarial.generator(self.score(*made), real)
        self.update(total, self.g_step)

    def only(self, moving: Sequence[nn.Parameter], resting: Sequence[nn.Parameter]) -> None:
        for parameter in resting:
            parameter.requires_grad_(False)
        for parameter in moving:
            parameter.requires_grad_(True)

    def discriminator_turn(self, real: Tensor, told: dict[str, Tensor], fake: Tensor, asked: dict[str, Tensor]) -> None:
        penalties, x = self.due(), {"real": real, "fake": fake}
        shared = [kind for kind in penalties if kind.at is not None and self.machine.dtype == torch.float32]
        with self.machine.autocast():
            for kind in shared:
                x[str(kind.at)].requires_grad_(True)
            if "discriminator" in self.game.scores_together and len(shared) != 1:
                label = {name: torch.cat([told[name], asked[name]]) for name in told}
                logits = dict(zip(x, self.score(torch.cat([*x.values()]), label).split(self.n), strict=True))
            else:
                logits = {"real": self.score(x["real"], told), "fake": self.score(x["fake"], asked)}
            total = self.loss.adversarial.discriminator(logits["real"], logits["fake"])
            if len(shared) > 1:  # by one backward
                inputs = [x[str(kind.at)] for kind in shared]
                summed = torch.stack([logits[str(kind.at)].sum() for kind in shared]).sum()
                slopes = torch.autograd.grad(summed, inputs, create_graph=True)
                for kind, slope in zip(shared, slopes, strict=True):
                    total = total + float(kind.weight.now) * kind.every / 2 * slope.flatten(1).square().sum(1).mean()
            for kind in [kind for kind in penalties if len(shared) < 2 or kind not in shared]:
                total = total + self.alone(kind, logits, x, told, kind in shared)
        self.update(total, self.d_step)

    def alone(
        self, kind: Penalty, logits: dict[str, Tensor], x: dict[str, Tensor], told: dict[str, Tensor], shared: bool
    ) -> Tensor:
        if kind.at is None or shared:
            return self.penalty(kind, logits, x, told)
        with torch.autocast(self.machine.device.type, enabled=False):  # a float32 forward of its own
            points = x[kind.at].detach().float().requires_grad_(True)
            return self.penalty(kind, {kind.at: self.score(points, told)}, {kind.at: points}, told)

    def update(self, total: Tensor, optimizer: torch.optim.Optimizer) -> None:
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        optimizer.step()


def doubled(self: nn.Conv2d, x: Tensor) -> Tensor:
    """What `UpConv2d` folds into one."""
    return F.conv2d(F.interpolate(x, scale_factor=2), self.weight, self.bias, padding=1)


def halved(self: nn.Conv2d, x: Tensor) -> Tensor:
    """What `DownConv2d` folds into one."""
    return F.avg_pool2d(F.conv2d(x, self.weight, self.bias, padding=1), 2)
