"""Truncated samples of BigGAN, and the statistics of norms that they are made with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Command, only_run
from untrained import asked, untrained

from gantrain.commands.asking import truncated
from gantrain.commands.show_samples import show_samples
from gantrain.commands.standing import FORWARDS, stand
from gantrain.commands.trained import TrainedRun
from gantrain.errors import UserError
from gantrain.games import Request
from gantrain.report.console import Console
from gantrain.seeding import Purpose, mix, seed_default

pytestmark = pytest.mark.usefixtures("plain_pictures")

SMALL = "dataset=digits model=biggan loss=hinge model.generator.width=2 model.discriminator.width=2 model.noise.dim=12"
TINY = [*SMALL.split(), "trainer.batch_size=8"]


def norms_of(run: TrainedRun) -> list[torch.nn.BatchNorm2d]:
    return [m for m in run.game.network("generator").modules() if isinstance(m, torch.nn.BatchNorm2d)]


def samples(run: TrainedRun, **settings: object) -> np.ndarray:
    wanted = asked(n=12, **settings)
    stand(run, wanted.truncation, wanted.standing, wanted.seed)
    return show_samples(run, wanted, {"class": "3"}, "npz", Console()).arrays()["samples"]


def test_norms_take_the_statistics_of_truncated_noise(tmp_path: Path) -> None:
    """Those of the first norm, whose maps the noise's first part makes, computed anew over as many batches."""
    run = untrained(tmp_path, *TINY)
    network = run.game.network("generator")
    seed_default(mix(0, Purpose.STANDING), torch.device("cpu"))
    means, variances = [], []
    with run.game.evaluating(network):
        for _ in range(FORWARDS):
            z = truncated(run, Request(8, run.game.latents(8)), 0.5).latent["noise"]
            assert z.abs().max() <= 0.5
            maps = network.network.first(z[:, : network.network.parts[0]]).transpose(0, 1).flatten(1)
            means.append(maps.mean(1))
            variances.append(maps.var(1))
    stand(run, 0.5, None, 0)
    first = norms_of(run)[0]
    torch.testing.assert_close(first.running_mean, torch.stack(means).mean(0))
    torch.testing.assert_close(first.running_var, torch.stack(variances).mean(0))


def test_the_same_seed_makes_the_same_samples() -> None:
    run = untrained(Path(), *TINY)
    made = [samples(run, truncation=0.5, seed=seed) for seed in (1, 2, 1)]
    assert np.array_equal(made[0], made[2])
    assert not np.array_equal(made[0], made[1])


def test_statistics_of_training_stay_unless_something_asks_for_others() -> None:
    """No truncation, or none wanted: and then as in a network that was not made for them."""
    run = untrained(Path(), *TINY)
    before = [norm.running_var.clone() for norm in norms_of(run)]
    for settings in ({}, {"truncation": 0.5, "standing": 0}):
        samples(run, **settings)
        assert all(torch.equal(norm.running_var, var) for norm, var in zip(norms_of(run), before, strict=True))
    samples(run, standing=3)
    assert all(norm.num_batches_tracked == 3 for norm in norms_of(run))
    plain = untrained(Path(), "dataset=digits", "model=cgan", "networks@model=dcgan_small")
    stand(plain, 0.5, None, 0)
    assert all(norm.num_batches_tracked == 0 for norm in norms_of(plain))


def test_what_makes_no_sense_is_refused(tmp_path: Path) -> None:
    run = untrained(tmp_path, *TINY)
    for truncation in (0.0, -1.0):
        with pytest.raises(UserError, match="leaves no noise: use more than 0"):
            stand(run, truncation, None, 0)
    with pytest.raises(UserError, match="standing=-1 is no number of forwards: use 0 or more"):
        stand(run, None, -1, 0)
    bare = untrained(tmp_path, "dataset=digits", "model=r3gan_conditional", "networks@model=r3gan_small")
    with pytest.raises(UserError, match="standing= sets batch norm by noise, and this run's G has none"):
        stand(bare, None, 4, 0)


def test_the_command(gantrain: Command, tmp_path: Path) -> None:
    done = gantrain(*TINY, "trainer.steps=1", "metrics=none")
    assert (done.returncode, done.stderr) == (0, "")
    run = f"run={only_run(tmp_path)}"
    done = gantrain("sample", run, "truncation=0.5", "class=3", "n=4", "out=t.npz")
    assert (done.returncode, done.stderr) == (0, "")
    assert np.load("t.npz")["labels"].tolist() == [3] * 4
    for word in ("truncation=0", "truncation=-0.5"):
        refused = gantrain("sample", run, word, "out=none.npz")
        assert (refused.returncode, "leaves no noise" in refused.stderr) == (2, True)
    refused = gantrain("sample", run, "show=noise", "standing=4")
    assert (refused.returncode, "standing= is for show=samples" in refused.stderr) == (2, True)
    assert not Path("none.npz").exists()
    assert gantrain("export", run, "out=g.safetensors").returncode == 0
