"""How a condition reaches the layers that depend on it."""

from __future__ import annotations

from inspect import signature

from torch import Tensor, nn

from gantrain.networks.layers import NormTable


class Conditioned(nn.Module):
    """A module whose forward takes a condition beside its input, for itself or for layers within it.

    A condition has a row for each sample: labels (N,) int64, or vectors (N, D). It is the same for all layers; one that
    depends on a part of a vector takes that part itself.
    """

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        raise NotImplementedError


def call(module: nn.Module, x: Tensor, condition: Tensor | None) -> Tensor:
    """The module's output, with the condition where it takes one."""
    return module(x, condition) if isinstance(module, Conditioned) else module(x)


class Staged(Conditioned):
    """A module that makes maps (N, C, H, W) on the way to what it gives; it adds both to `maps` where that is there."""

    def forward(self, x: Tensor, condition: Tensor | None = None, maps: list[Tensor] | None = None) -> Tensor:
        raise NotImplementedError


class Sequential(nn.Sequential, Staged):
    """Modules one after the other; those that take a condition get it.

    To `maps` it adds those that each module gives, and those within a module that is staged itself and no sequence.
    """

    def forward(self, x: Tensor, condition: Tensor | None = None, maps: list[Tensor] | None = None) -> Tensor:
        for module in self:
            if maps is not None and isinstance(module, Staged) and not isinstance(module, Sequential):
                x = module(x, condition, maps)
                continue
            x = call(module, x, condition)
            if maps is not None and x.dim() == 4:
                maps.append(x)
        return x


def set_conditioned(network: nn.Module, name: str, layer: Conditioned) -> None:
    """Puts a layer that takes the condition in the place of the one of that name.

    Raises:
        ValueError: a module around it does not hand the condition on.
    """
    parents = name.split(".")[:-1]
    for depth in range(len(parents) + 1):
        path = ".".join(parents[:depth])
        outer = network.get_submodule(path)
        if not isinstance(outer, Conditioned) or len(signature(outer.forward).parameters) < 2:
            kind = type(outer).__name__
            raise ValueError(
                f"the layer {name} cannot know the label, because the forward of {kind} around it takes none to hand "
                f"on: make {kind} a gantrain.networks.Conditioned, or set model.conditioning=concat"
            )
    network.set_submodule(name, layer)


class ConditionalLayer(Conditioned):
    """A linear layer or convolution with the one-hot label beside its input; its weights are a bias for each label."""

    def __init__(self, layer: nn.Module, classes: int) -> None:
        super().__init__()
        self.layer, self.of_label = layer, label_weights(layer, classes)

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        x = self.layer(x)
        return x + _per_feature(self.of_label, condition, x).to(x.dtype)


def label_weights(layer: nn.Module, classes: int) -> nn.Embedding:
    """The weights that a linear layer or convolution gets for a one-hot label beside its input, as large as its own."""
    outputs = layer.out_features if isinstance(layer, nn.Linear) else layer.out_channels
    assert isinstance(outputs, int)
    assert isinstance(layer.weight, Tensor)
    table = nn.Embedding(classes, outputs)
    nn.init.normal_(table.weight, std=layer.weight.detach().std(correction=0).item())
    return table


def condition_every_layer(network: nn.Module, classes: int) -> None:
    """Puts the label beside the input of every layer with weights inside the network (Li et al. 2017).

    Raises:
        ValueError: a module around one of them does not hand the condition on.
    """
    kinds = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.ConvTranspose1d, nn.ConvTranspose2d)
    for name, layer in [(name, m) for name, m in network.named_modules() if isinstance(m, kinds)]:
        set_conditioned(network, name, ConditionalLayer(layer, classes))


class ConditionalBatchNorm(Conditioned):
    """Batch norm whose gain and bias belong to the label (Dumoulin et al. 2017; Miyato & Koyama 2018)."""

    def __init__(self, norm: nn.modules.batchnorm._BatchNorm, classes: int) -> None:
        super().__init__()
        features = norm.num_features
        self.norm = type(norm)(features, eps=norm.eps, momentum=norm.momentum, affine=False)
        self.gain, self.bias = NormTable(classes, features), NormTable(classes, features)
        nn.init.ones_(self.gain.weight)
        nn.init.zeros_(self.bias.weight)

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        x = self.norm(x)
        return _per_feature(self.gain, condition, x) * x + _per_feature(self.bias, condition, x)


def condition_batch_norms(network: nn.Module, classes: int, last: bool) -> None:
    """Makes every batch norm inside the network conditional; all but the last one where `last` is false.

    Raises:
        ValueError: there is none, or a module around one of them does not hand the condition on.
    """
    norms = [(n, m) for n, m in network.named_modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    if not norms:
        raise ValueError(
            "conditioning=projection works on the generator through batch norm, which it has not: set "
            "model.generator.norm=batch, or model.conditioning=embedding"
        )
    if not last:
        norms = norms[:-1]
    if not norms:
        raise ValueError("the generator's only norm would stay plain: set model.last_norm=true")
    for name, norm in norms:
        set_conditioned(network, name, ConditionalBatchNorm(norm, classes))


def _per_feature(table: nn.Module, condition: Tensor | None, x: Tensor) -> Tensor:
    """What the table makes of each sample's condition, (N, F, 1, …), to meet features or maps x (N, F, …)."""
    assert condition is not None, "this network is conditional: it is called with a condition"
    values = table(condition)
    return values.view(*values.shape, *[1] * (x.dim() - 2))
