"""Features for TensorBoard's projector."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np


def write_projector(
    folder: Path,
    name: str,
    values: np.ndarray,
    kinds: Sequence[str],
    labels: Sequence[str],
    pictures: np.ndarray | None,
) -> None:
    """Writes points with what is known of each, and a thumbnail where there are pictures, into an empty folder.

    Args:
        values: (n, size).
        kinds: real or generated.
        pictures: (n, C, H, W) in [-1, 1].
    """
    import torch
    from torch.utils.tensorboard import SummaryWriter

    images = None if pictures is None else torch.from_numpy((pictures.astype(np.float32) + 1) / 2).clamp(0, 1)
    with SummaryWriter(str(folder)) as board:
        rows = [list(row) for row in zip(kinds, labels, strict=True)]
        board.add_embedding(torch.from_numpy(values), rows, images, tag=name, metadata_header=["kind", "label"])
