"""Statistics of batch norm over many forwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


@contextmanager
def standing_statistics(*networks: nn.Module) -> Iterator[None]:
    """Each batch norm forgets its running statistics and takes the mean of those of all batches that pass inside.

    All else in the networks stays as it is, so that in evaluation they neither drop units nor go on with spectral norm.
    From then on what they make of a sample does not depend on its batch (Brock et al. 2018, section 3.1, "standing
    statistics"). The variance of a batch is the unbiased one, as running statistics have it.
    """
    found = [part for network in networks for part in network.modules() if isinstance(part, _BatchNorm)]
    norms = {norm: (norm.momentum, norm.training) for norm in found if norm.track_running_stats}
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # PyTorch's word for the mean of all batches
        norm.train()
    try:
        yield
    finally:
        for norm, (momentum, training) in norms.items():
            norm.momentum = momentum
            norm.train(training)
