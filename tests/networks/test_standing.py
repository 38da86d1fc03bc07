"""Statistics of batch norm over many forwards."""

from __future__ import annotations

import torch
from torch import nn

from gantrain.networks.layers import spectrally_normalise
from gantrain.networks.standing import standing_statistics


def test_they_are_the_means_over_all_batches() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 3, 1), nn.BatchNorm2d(3, momentum=0.3), nn.Dropout(0.5), nn.BatchNorm2d(3)
    ).eval()
    network(torch.randn(2, 1, 4, 4))
    batches = [torch.randn(5, 1, 4, 4) * k for k in range(1, 8)]
    with torch.no_grad(), standing_statistics(network):
        for x in batches:
            network(x)
    maps = [network[0](x).transpose(0, 1).flatten(1) for x in batches]
    norm = network[1]
    torch.testing.assert_close(norm.running_mean, torch.stack([m.mean(1) for m in maps]).mean(0))
    torch.testing.assert_close(norm.running_var, torch.stack([m.var(1) for m in maps]).mean(0))
    assert norm.momentum == 0.3
    assert not any(module.training for module in network.modules())
    x = torch.randn(5, 1, 4, 4)
    torch.testing.assert_close(network(x)[:1], network(x[:1])), "a sample does not depend on its batch"


def test_nothing_else_moves() -> None:
    """Power iterations of spectral norm, and norms that keep no statistics."""
    network = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3, track_running_stats=False), nn.BatchNorm2d(3))
    spectrally_normalise(network)
    network.eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with torch.no_grad(), standing_statistics(network):
        network(torch.randn(4, 1, 8, 8))
    changed = [name for name, value in network.state_dict().items() if not torch.equal(value, before[name])]
    assert changed == ["2.running_mean", "2.running_var", "2.num_batches_tracked"]
