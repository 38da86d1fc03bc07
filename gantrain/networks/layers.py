"""Layers that several networks share."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import _SpectralNorm

from gantrain import shares

Norm = Literal["batch", "layer", "instance", "none"]
Activation = Literal["relu", "leaky_relu", "tanh", "sigmoid", "softplus", "elu", "silu", "gelu"]

_ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "softplus": nn.Softplus,
    "elu": nn.ELU,
    "silu": nn.SiLU,
    "gelu": nn.GELU,
}


class LateBuffers(nn.Module):
    """A module whose own buffers may come into being after it was built: loading makes those of a checkpoint.

    Those that are there already stay where they are in memory: captured turns know no other place.
    """

    def _load_from_state_dict(self, state_dict: MutableMapping[str, Any], prefix: str, *rest: Any) -> None:
        for key, value in state_dict.items():
            name = key.removeprefix(prefix)
            own = isinstance(value, Tensor) and "." not in name and name not in self._parameters
            there = self._buffers.get(name)
            fits = there is not None and (there.shape, there.dtype) == (getattr(value, "shape", None), value.dtype)
            if key.startswith(prefix) and own and not fits:
                self.register_buffer(name, torch.empty_like(value))
        super()._load_from_state_dict(state_dict, prefix, *rest)


def activation(name: Activation) -> nn.Module:
    """A new activation layer; leaky ReLU has the slope 0.2 that GANs use (Radford et al. 2015)."""
    return nn.LeakyReLU(0.2) if name == "leaky_relu" else _ACTIVATIONS[name]()


def norm2d(name: Norm, channels: int) -> nn.Module:
    """A norm for maps (N, C, H, W). `layer` is over C, H and W with a gain per channel (Gulrajani et al. 2017)."""
    if name == "batch":
        return nn.BatchNorm2d(channels)
    if name == "layer":
        return nn.GroupNorm(1, channels)
    if name == "instance":
        return nn.InstanceNorm2d(channels, affine=True)
    return nn.Identity()


def norm_of_sound(name: Norm, channels: int) -> nn.Module:
    """The same for maps (N, C, L) of sound."""
    if name == "batch":
        return nn.BatchNorm1d(channels)
    return nn.InstanceNorm1d(channels, affine=True) if name == "instance" else norm2d(name, channels)


def norm1d(name: Norm, features: int) -> nn.Module:
    """A norm for features (N, F).

    Raises:
        ValueError: instance norm, which needs maps.
    """
    if name == "instance":
        raise ValueError("instance norm needs images with channels: use norm=layer, batch or none")
    if name == "batch":
        return nn.BatchNorm1d(features)
    return nn.LayerNorm(features) if name == "layer" else nn.Identity()


def samples_meet(module: nn.Module) -> bool:
    """Whether the output for one sample depends on the others of its batch.

    True for batch norm and for layers that say so by an attribute `samples_meet`. Every layer is looked at: whoever
    needs to know it in a step asks once, when all layers are in place.
    """
    return batch_normalised(module) or compares_samples(module)


def compares_samples(module: nn.Module) -> bool:
    """Whether a layer says that it looks at several samples at once, in evaluation too."""
    return any(getattr(part, "samples_meet", False) for part in module.modules())


def batch_normalised(module: nn.Module) -> bool:
    """Whether a layer normalises by the batch, so that no sample has a gradient of its own there."""
    return any(isinstance(part, nn.modules.batchnorm._BatchNorm) for part in module.modules())


class NormTable(nn.Embedding):
    """Gains or biases of a norm by label, or what layers make them of: they set a scale, which spectral norm leaves."""


class SpectralNorm(_SpectralNorm):
    """PyTorch's, in float32 under autocast too: on CUDA that would have the power iteration in fewer digits."""

    def forward(self, weight: Tensor) -> Tensor:
        if not torch.is_autocast_enabled(weight.device.type):
            return super().forward(weight)
        with torch.autocast(weight.device.type, enabled=False):
            return super().forward(weight)


def spectrally_normalise(module: nn.Module, eps: float = 1e-12) -> None:
    """Divides the weight of every linear, convolution and embedding layer by its largest singular value.

    One power iteration per forward in training (Miyato et al. 2018). Layers that have it already stay as they are, as
    do the tables of conditional norms, whose biases begin at 0 and have no direction. `eps` is the least length by
    which a singular vector is divided.

    Raises:
        ValueError: a layer begins as 0 and has none.
    """
    kinds = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.Embedding)
    for name, part in list(module.named_modules()):
        if isinstance(part, kinds) and not isinstance(part, NormTable) and not has_spectral_norm(part):
            if not part.weight.any():
                raise ValueError(
                    f"the layer {name} begins as 0 and has no singular value to be divided by: leave spectral_norm out"
                )
            rows = 1 if isinstance(part, (nn.ConvTranspose1d, nn.ConvTranspose2d)) else 0  # where outputs are counted
            parametrize.register_parametrization(part, "weight", SpectralNorm(part.weight, dim=rows, eps=eps))


def has_spectral_norm(layer: nn.Module) -> bool:
    """Whether the layer's weight has spectral norm, beside whatever other parametrization."""
    if not parametrize.is_parametrized(layer, "weight"):
        return False
    chain = layer.get_submodule("parametrizations.weight")
    return any(isinstance(part, _SpectralNorm) for part in chain.children())


def fold_parametrizations(module: nn.Module) -> None:
    """Puts what parametrizations make of a tensor, such as spectral norm of a weight, in the tensor's place.

    PyTorch's own way takes the tensor out of the layer's class, which copies of the layer share.
    """
    for part in module.modules():
        chains = getattr(part, "parametrizations", None)
        if isinstance(chains, nn.ModuleDict):
            values = {name: getattr(part, name).detach().clone() for name in chains}
            del part.parametrizations
            (part.__class__,) = type(part).__bases__  # the class from before
            for name, value in values.items():
                part.register_parameter(name, nn.Parameter(value, requires_grad=False))


def initialise_dcgan(module: nn.Module) -> None:
    """N(0, 0.02²) for weights, N(1, 0.02²) for the gains of norms (Radford et al. 2015)."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d, nn.GroupNorm, nn.InstanceNorm2d)):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


class StddevLayer(nn.Module):
    """Features (N, F, …) to (N, F + 1, …): the standard deviation over a group, averaged over everything else.

    As in the reference code of Karras et al. 2017: biased, with 1e-8 under the root, over interleaved groups.

    Args:
        group_size: samples in a group, of which the batch must be a multiple; None for the whole batch.
    """

    samples_meet = True

    def __init__(self, group_size: int | None) -> None:
        super().__init__()
        self.group_size = group_size

    def forward(self, x: Tensor) -> Tensor:
        everyone = shares.gathered(x.float())
        size = min(self.group_size or len(everyone), len(everyone))
        groups = everyone.unflatten(0, (size, -1))
        spread = (groups.var(0, correction=0) + 1e-8).sqrt().flatten(1).mean(1)  # one number per group
        channel = shares.own(spread.repeat(size)).to(x.dtype).view(-1, *[1] * (x.dim() - 1)).expand_as(x[:, :1])
        return torch.cat([x, channel], 1)
