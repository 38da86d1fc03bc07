"""show=saliency: where the discriminator looks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from omegaconf import DictConfig
from torch import Tensor

from gantrain.commands.asking import request_of
from gantrain.commands.shown import Shown
from gantrain.commands.trained import TrainedRun
from gantrain.errors import UserError
from gantrain.games import Game
from gantrain.report.console import Console
from gantrain.report.looks import Attention, attention_page
from gantrain.report.pictures import to_pixels
from gantrain.turns import Batch, Samples

MANY = 16
"""Real and generated samples each."""


def saliency(game: Game, discriminator: str, samples: Samples, batch: Batch) -> tuple[Tensor, Tensor]:
    """The greatest |∂D/∂x| of a pixel's channels, (N, H, W), and the logits (Simonyan et al. 2014, section 3).

    D is as it is in evaluation; where it judges packs of samples, the gradient is that of the pack's logit.
    """
    x = samples.x.detach().float().requires_grad_()
    with game.evaluating(game.get_submodule(discriminator)), torch.enable_grad():
        logits = game.score(discriminator, game.tricks.pack(replace(samples, x=x)), batch).logits.float()
        (gradient,) = torch.autograd.grad(logits.sum(), x)
    return gradient.abs().amax(1), logits.detach()


def show_saliency(run: TrainedRun, asked: DictConfig, words: Mapping[str, str], form: str, console: Console) -> Shown:
    """Images that each discriminator judges, real and generated, beside maps of where its logit follows the pixels.

    Raises:
        UserError: the run makes numbers, or its data is not here.
    """
    if not run.makes_images:
        raise UserError(
            f"show=saliency is for pictures, but this run makes {run.kind.value}: look at the run's own pictures"
        )
    game, packed = run.game, math.prod(run.cfg.data.shown or run.shape) // math.prod(run.shape)
    request = request_of(run, asked, words, console, math.ceil((asked.n or MANY) / packed) * packed)
    latent = {**game.latents(request.n), **request.latent}
    data = run.data(request.n, console.say)
    fields = {"real": data, "generated": {**data, **request.inputs}}  # what was asked for is not said of real ones
    batches = {
        kind: game.batch_at(run.step, latent, {name: x.to(run.machine.device) for name, x in values.items()})
        for kind, values in fields.items()
    }
    with game.evaluating(*game.children()):
        kinds = {"real": game.real(batches["real"]), "generated": game.generate(batches["generated"], averaged=True)}
    rows: list[list[Attention]] = []
    arrays: dict[str, np.ndarray] = {}
    for name in game.discriminators:
        row = []
        for kind, made in kinds.items():
            gradient, logits = saliency(game, name, made[name], batches[kind])
            images, heat = made[name].x.float().cpu().numpy(), gradient.cpu().numpy()
            row.append(Attention(f"{kind}; {_verdict(game, name, logits)}", images, heat))
            prefix = kind if len(game.discriminators) == 1 else f"{name}_{kind}"
            arrays |= {prefix: to_pixels(images), f"{prefix}_gradient": heat, f"{prefix}_logits": logits.cpu().numpy()}
        rows.append(row)
    title = f"{run.cfg.name}, step {run.step:,}: where D looks, |∂D/∂x|"
    return Shown("real and generated samples", request.n, lambda: attention_page(rows, title), lambda: arrays)


def _verdict(game: Game, name: str, logits: Tensor) -> str:
    """What a discriminator makes of samples on average."""
    if game.loss.adversarial.probability:
        return f"{name} says {logits.sigmoid().mean():.0%} real on average"
    return f"{name}'s score {logits.mean():.3g} on average"
