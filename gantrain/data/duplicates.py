"""Which pictures of a pack are copies of others, without a look at each pair."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

CHUNK = 4096
"""Samples that are looked at together."""
THUMB = 8
"""Side of the thumbnails by which pictures are compared that need not be equal."""
ALIKE = 0.1
"""Two thumbnails are nearly the same where they differ by less than this share of what varies in each."""
NEIGHBOURS, DIRECTIONS = 8, 6
"""Each thumbnail is compared with so many that lie next to it along so many random directions."""


def hashes(real: np.ndarray) -> np.ndarray:
    """A number uint64 (N,) for each sample of a pack (N, …), the same for equal ones and hardly for any others."""
    found = [_hash(np.ascontiguousarray(real[start : start + CHUNK])) for start in range(0, len(real), CHUNK)]
    return np.concatenate(found) if found else np.empty(0, np.uint64)


def _hash(chunk: np.ndarray) -> np.ndarray:
    """Every 8 bytes are mixed with the number of their place (the finaliser of MurmurHash3, Appleby 2011) and added."""
    rows = chunk.reshape(len(chunk), -1).view(np.uint8)
    rows = np.pad(rows, ((0, 0), (0, -rows.shape[1] % 8))).view(np.uint64)
    rows = rows ^ (np.arange(1, rows.shape[1] + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        rows ^= rows >> np.uint64(33)
        rows *= np.uint64(factor)
    rows ^= rows >> np.uint64(33)
    return rows.sum(1, dtype=np.uint64)


def copies(hashed: np.ndarray) -> np.ndarray:
    """For each sample the index (N,) of the first that is equal to it: its own where none comes before."""
    _, first, group = np.unique(hashed, return_index=True, return_inverse=True)
    return first[group]


def near_copies(real: np.ndarray) -> np.ndarray:
    """For each picture uint8 (N, C, H, W) the index (N,) of an earlier one that looks nearly the same, else its own.

    Found by thumbnails, so that a picture that was scaled, compressed anew or shifted by a pixel is near its original.
    Flat pictures, in which nothing varies, have no look of their own and are left out. Some pairs may be missed where
    there are very many samples.
    """
    thumbs, varies = _thumbnails(real)
    index = np.arange(len(thumbs))
    generator = np.random.default_rng(0)
    nearest = index.copy()
    for _ in range(DIRECTIONS):
        direction = generator.standard_normal(thumbs.shape[1], dtype=np.float32)
        order = np.argsort(thumbs @ direction, kind="stable")
        for step in range(1, NEIGHBOURS + 1):
            one, other = order[:-step], order[step:]
            apart = np.sqrt(np.square(thumbs[one] - thumbs[other]).mean(1))
            alike = apart < ALIKE * np.minimum(varies[one], varies[other])
            early, late = np.minimum(one, other)[alike], np.maximum(one, other)[alike]
            np.minimum.at(nearest, late, early)
    return nearest


def _thumbnails(real: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Thumbnails float32 (N, F) without what all pictures have in common, and how much each varies (N,).

    That is its standard deviation, or that within its channels before anything was taken from it where that is less:
    a flat picture varies by nothing, though it differs from what others have in common.
    """
    found, within = [], []
    for start in range(0, len(real), CHUNK):
        x = torch.from_numpy(np.array(real[start : start + CHUNK])).float()
        small = F.adaptive_avg_pool2d(x, THUMB)
        found.append(small.flatten(1).numpy())
        within.append(small.var((2, 3), correction=0).mean(1).sqrt().numpy())
    if not found:
        return np.empty((0, 1), np.float32), np.empty(0, np.float32)
    thumbs = np.concatenate(found)
    thumbs -= thumbs.mean(0, keepdims=True)
    return thumbs, np.minimum(thumbs.std(1), np.concatenate(within))
