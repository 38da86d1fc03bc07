"""show=features: real and generated samples as points of the plane."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing

import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from gantrain.commands.asking import request_of, truncated
from gantrain.commands.assembly import plain
from gantrain.commands.evaluation import evaluation_of
from gantrain.commands.sampling import generate_samples
from gantrain.commands.shown import Shown
from gantrain.commands.trained import TrainedRun
from gantrain.config import build, data_folder, nearest
from gantrain.data import DataContext, Source, to_pixels
from gantrain.errors import UserError
from gantrain.kinds import Kind
from gantrain.metrics import FeatureSpace, RealData
from gantrain.metrics.evaluation import Part
from gantrain.options import CONFIGS
from gantrain.report.console import Console
from gantrain.report.looks import Embedding, embedding_page
from gantrain.report.projector import write_projector
from gantrain.seeding import Purpose
from gantrain.turns import Samples

MANY, FEWEST = 500, 8
"""Real and generated samples each, and how many there must be."""
KEPT = 50
"""Principal components that t-SNE is given, as its authors advise."""


def show_features(run: TrainedRun, asked: DictConfig, words: Mapping[str, str], form: str, console: Console) -> Shown:
    """Real and generated samples under PCA and t-SNE of their features, and in TensorBoard's projector if asked for.

    Raises:
        UserError: there is no such space, it does not suit the data, or the data is not here.
    """
    n = asked.n or MANY
    if n < FEWEST:
        raise UserError(f"n={n} is too few to place in the plane: use {FEWEST} or more")
    request = truncated(run, request_of(run, asked, words, console, n), asked.truncation)
    fake = generate_samples(run.game, run.machine, request, asked.seed, Purpose.SAMPLES)
    space = asked.space or ("spectrogram" if run.kind is Kind.SOUND else "pixels")
    values, real = _features(run, space, next(iter(fake.values())), console)
    made = next(iter(fake.values()))
    x = torch.cat([real.x.cpu(), made.x]).numpy()
    kinds = ["real"] * len(real) + ["generated"] * len(made)
    if asked.projector:
        labels = [*_labels(real), *_labels(made)]
        folder = run.home.fresh_projector(f"step{run.step}_{space}")
        write_projector(folder, space, values, kinds, labels, x if run.makes_images else None)
        console.say(f"projector  tensorboard --logdir {folder}  (choose PROJECTOR)")
    maps = [_pca(values), _tsne(values, asked.seed)]
    title = f"{run.cfg.name}, step {run.step:,}: features in {space}"

    def page() -> np.ndarray:
        return embedding_page(maps, len(real), x if run.makes_images else None, title)

    def arrays() -> dict[str, np.ndarray]:
        places = {name: found.places for name, found in zip(("pca", "tsne"), maps, strict=True)}
        return {"features": values, "generated": np.array([kind == "generated" for kind in kinds]), **places}

    return Shown("real and as many generated samples", len(real), page, arrays, wished={"space": space})


def _features(run: TrainedRun, name: str, fake: Samples, console: Console) -> tuple[np.ndarray, Samples]:
    """Features (2 n, size) of as many real samples as generated ones, the real first; and those real samples."""
    source = build(plain(run.cfg.dataset), "dataset", Source)
    context = DataContext(data_folder(run.cfg), run.machine.device, run.cfg.seed, say=console.say)
    space = _space(run, name)
    with closing(RealData(source, context)) as data:
        try:
            space.check(source)
        except ValueError as error:
            raise UserError(str(error)) from error
        space.prepare(data)
        part: Part = "held_out" if source.held_out_part() is not None else "train"
        opened = data.open(part)
        n = len(fake) if opened.size is None else min(len(fake), opened.size)
        drawn = list(data.batches(part, n))
        names = [name for name in ("label",) if name in drawn[0]]
        conditions = {name: torch.cat([batch[name] for batch in drawn]) for name in names}
        real = Samples(torch.cat([batch["real"] for batch in drawn]), conditions).map(Tensor.cpu)
        evaluation = evaluation_of(run.game, data, run.machine, run.cfg.seed, 500, run.step)
        parts = [part for x in (real.x, fake.x) for part in x.split(500)]
        found = [space.features(to_pixels(x) if x.dim() == 4 else x.float(), data, evaluation).values for x in parts]
    return torch.cat(found).float().numpy(), real


def _space(run: TrainedRun, name: str) -> FeatureSpace:
    """A space of the run's config, or of gantrain's own.

    Raises:
        UserError: there is none such.
    """
    own = OmegaConf.to_container(OmegaConf.load(CONFIGS / "metrics" / "known.yaml").spaces)
    assert isinstance(own, dict)
    spaces = {**own, **plain(run.cfg.metrics.spaces)}
    if name not in spaces:
        raise UserError(f"space is {', '.join(spaces)}: got {name}{nearest(name, list(spaces))}")
    return build(spaces[name], f"metrics.spaces.{name}", FeatureSpace)


def _labels(samples: Samples) -> list[str]:
    labels = samples.conditions.get("label")
    return [""] * len(samples) if labels is None else [str(int(label)) for label in labels]


def _pca(values: np.ndarray) -> Embedding:
    from sklearn.decomposition import PCA

    if values.shape[1] == 1:
        places = np.concatenate([values, np.zeros_like(values)], 1)
        return Embedding("the feature itself", places, ("feature", ""))
    map_ = PCA(2, random_state=0).fit(values)
    first, second = (f"{share:.0%} of the variance" for share in map_.explained_variance_ratio_)
    return Embedding("PCA", map_.transform(values), (f"first component, {first}", f"second component, {second}"))


def _tsne(values: np.ndarray, seed: int) -> Embedding:
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    kept = min(KEPT, *values.shape)
    reduced = PCA(kept, random_state=0).fit_transform(values) if kept > 2 else values
    perplexity = min(30.0, (len(values) - 1) / 3)
    start = "pca" if reduced.shape[1] > 1 else "random"
    map_ = TSNE(2, perplexity=perplexity, init=start, random_state=seed % 2**32)
    return Embedding(f"t-SNE, perplexity {perplexity:g}", map_.fit_transform(reduced), ("", ""))
