"""The density of samples on the line."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

CRITICAL = 1.63
"""√m times Kolmogorov's distance is beyond this for one in a hundred draws of m samples from the right distribution."""


@dataclass(frozen=True)
class Piece:
    """From sample number `first` to `last`, counted in ascending order, the density is that of N(mean, std²).

    None: without end.
    """

    first: int | None
    last: int | None
    mean: float
    std: float


class PiecewiseGaussian:
    """The density of finite samples (N,) or (N, 1), Gaussian in pieces that are as few as the samples admit.

    A piece has as much mass as samples. One that its samples contradict by Kolmogorov's test is cut at the sample where
    the two distribution functions differ most. So the width follows the samples however they are spread, a Gaussian
    stays one piece, and beyond the samples the tails are a Gaussian's, fitted to √N samples at least.

    Args:
        narrowest: standard deviation of the blur that keeps equal samples apart; no piece is narrower.
    """

    def __init__(self, samples: np.ndarray, narrowest: float) -> None:
        from scipy.special import ndtri

        n = samples.size
        self._score = ndtri((np.arange(n) + 0.5) / n)  # where N(0, 1) has as many samples below
        self._x = np.sort(samples.ravel().astype(np.float64)) + narrowest * self._score
        self._tail = math.isqrt(n)  # fewer samples would not tell how wide a tail is
        self.pieces: list[Piece] = []
        waiting: list[tuple[int | None, int | None]] = [(None, None)]
        while waiting:  # the leftmost waits at the end, so that pieces are found in their order
            piece = self._fit(*waiting.pop())
            cut = self._contradiction(piece)
            if cut is None:
                self.pieces.append(piece)
            else:
                waiting += [(cut, piece.last), (piece.first, cut)]
        self.cuts = np.array([self._x[piece.last] for piece in self.pieces if piece.last is not None])
        self._means = np.array([piece.mean for piece in self.pieces])
        self._stds = np.array([piece.std for piece in self.pieces])

    def log(self, x: np.ndarray) -> np.ndarray:
        """The logarithm of the density at places (M,)."""
        here = np.searchsorted(self.cuts, x)
        mean, std = self._means[here], self._stds[here]
        return -0.5 * ((x - mean) / std) ** 2 - np.log(std * math.sqrt(2 * math.pi))

    def places(self, scores: np.ndarray) -> np.ndarray:
        """Where the pieces begin, and where they have the standard scores (M,); ascending."""
        ends = np.concatenate([[-np.inf], self.cuts, [np.inf]])
        found = (self._means + self._stds * scores[:, None]).clip(ends[:-1], ends[1:])
        return np.unique(np.concatenate([found.ravel(), self.cuts]))

    def _fit(self, first: int | None, last: int | None) -> Piece:
        """The line from standard scores to samples that goes through both ends, by least squares where one is open."""
        x, score = self._x[first : _after(last)], self._score[first : _after(last)]
        if first is not None and last is not None:
            mean_x, mean_score = x[0], score[0]
            std = (x[-1] - x[0]) / (score[-1] - score[0])
        else:
            through = -1 if first is None else 0
            closed = first is not None or last is not None
            mean_x, mean_score = (x[through], score[through]) if closed else (x.mean(), 0.0)
            std = (x - mean_x) @ (score - mean_score) / np.square(score - mean_score).sum()
        return Piece(first, last, float(mean_x - std * mean_score), float(std))

    def _contradiction(self, piece: Piece) -> int | None:
        """The number of the sample at which the piece deviates most from its samples, if by too much."""
        from scipy.special import ndtr

        n = len(self._x)
        begin = self._tail if piece.first is None else piece.first + 1
        end = n - self._tail if piece.last is None else piece.last
        if begin >= end:
            return None
        expected = ndtr((self._x[begin:end] - piece.mean) / piece.std) * n - 0.5
        off = np.abs(expected - np.arange(begin, end))
        return begin + int(off.argmax()) if off.max() > CRITICAL * math.sqrt(end - begin) else None


def _after(last: int | None) -> int | None:
    return None if last is None else last + 1
