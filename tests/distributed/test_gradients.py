"""Two processes that share every batch have the gradients, and leave the state, of one that plays it whole."""

from __future__ import annotations

import pytest
from conftest import Ask

from gantrain.options import CONFIGS

SGD = ["trainer.batch_size=16", "optimizer=sgd", "optimizer.lr=0.001", "metrics=none"]
POINTS = ["dataset=ring8", *SGD]
PICTURES = ["dataset=digits", "dataset.image_size=8", *SGD]
NARROW = "model.generator.width=4 model.discriminator.width=4"
DCGAN = [*PICTURES, "networks@model=dcgan", *NARROW.split()]
LOSSES = sorted(file.stem for file in (CONFIGS / "loss").glob("*.yaml"))
TRICKS = sorted(file.stem for file in (CONFIGS / "tricks").glob("*.yaml"))
PERCEPTRONS = "networks@model=mlp model.generator.hidden=[8] model.discriminator.hidden=[8]"
DOMAINS = "dataset=digits_domains dataset.image_size=8 model.generator.width=2 model.discriminator.width=2"
GAMES = {
    "acgan": f"{PERCEPTRONS} model=acgan",
    "bigan": f"{PERCEPTRONS} model=bigan",
    "cgan": f"{PERCEPTRONS} model=cgan model.mismatched=0.3",
    "cgan_convolutional": "model=cgan networks@model=dcgan_small model.conditioning=every_layer",
    "gman": f"{PERCEPTRONS} model=gman model.drop_discriminator=0.3",
    "gman_max": f"{PERCEPTRONS} model=gman model.aggregate=max",
    "infogan": f"{PERCEPTRONS} model=infogan",
    "madgan": f"{PERCEPTRONS} model=madgan",
    "sgan": f"{PERCEPTRONS} model=sgan model.labels_per_class=2",
    "triplegan": f"{PERCEPTRONS} model=triplegan model.labels_per_class=2 model.pseudo_real=0.25 model.balance=0.1 "
    "model.pseudo_start=0",
    "resnet": f"dataset.image_size=16 model=resnet {NARROW}",
    "biggan": "dataset.image_size=16 model=biggan model.generator.width=2 model.generator.embedding=4 "
    "model.discriminator.width=2 model.noise.dim=12",
    "fastgan": "dataset.image_size=16 model=fastgan_small model.generator.width=2 model.discriminator.width=2",
    "progan": "model=progan model.generator.width=1 model.generator.most=4 model.discriminator.width=1 "
    "model.discriminator.most=4",
    "r3gan_conditional": "model=r3gan_conditional networks@model=r3gan_small model.generator.width=8 "
    "model.discriminator.width=8",
    "lapgan": "dataset.image_size=16 model=lapgan model.generator.hidden=[4] model.discriminator.hidden=[4] "
    "model.finer_generator.width=2 model.finer_discriminator.width=2",
    "cyclegan": f"{DOMAINS} model=cyclegan_small model.generator.blocks=1 model.discriminator.patch=16 model.pool=24",
    "cogan": f"{DOMAINS} model=cogan dataset.domains=negative",
    "pix2pix": "dataset=digits_pairs dataset.held_out=0 model=pix2pix_small model.generator.width=2 "
    "model.discriminator.width=2",
    "wavegan": "dataset=notes dataset.count=32 dataset.length=80 model=wavegan_small model.generator.width=2 "
    "model.discriminator.width=2",
}
REFUSED = {
    "unrolled": "moves the discriminator on the whole batch",
    "early_stopping": "early_stopping.metric",
    "minibatch_tutorial": "no linear block",
    "reference_batch_norm": "",
}
QUICK = [
    [*POINTS, "loss=r3", "tricks=[ema]"],
    [*POINTS, "loss=ragan", "tricks=[packing,topk,lecam,minibatch_discrimination]", "tricks.topk.every=1"],
    [*DCGAN, "loss=nonsaturating", "tricks=[ada,consistency,label_flipping,mode_seeking]", "tricks.ada.p=0.4"],
    [*PICTURES, *GAMES["cgan"].split(), "loss=wgan_gp", "tricks=[diffaugment,experience_replay,gradient_clipping]"],
    [*PICTURES, *GAMES["triplegan"].split(), "loss=nonsaturating", "tricks=[]", "model.discriminator.dropout=0.3"],
    [*DCGAN, "loss=wgan_gp", "tricks=[instance_noise]", "trainer.accumulate=2", "dataset.augment.flip=true"],
]


def check(together: Ask, *words: str) -> None:
    found = together(*words)
    assert found.get("worst", 1.0) <= 1e-9, found


@pytest.mark.parametrize("words", QUICK)
def test_what_is_played_together_equals_what_one_plays(together: Ask, words: list[str]) -> None:
    check(together, *words)


def test_what_processes_agree_on(together: Ask) -> None:
    """One has gradients 2 and none, the other 4 and 6; x is 1 and 2, and (x₁ + x₂)³ is what either minimises."""
    found = together()
    assert found["gradients"] == [[3.0, 3.0], [3.0, 3.0], None]
    assert found["stopped"] == [15, 5.0]
    assert found["derivatives"] == pytest.approx([27.0, 2 * 27.0, 4 * 18.0])
    assert found["state"] == [[0.0, 1.0, 2.0], 7]
    assert found["nothing"] is None
    assert found["first"] == {"figure": 0.1}
    assert found["in_turn"]
    assert found["spread"] == [0.0, 0.0]
    assert found["numbers"] == [2.0]


@pytest.mark.slow
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("words", [POINTS, DCGAN], ids=["mlp", "dcgan"])
def test_every_loss(together: Ask, words: list[str], loss: str) -> None:
    check(together, *words, f"loss={loss}", *([] if loss == "wgan" else ["tricks=[]"]))


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["nonsaturating", "wgan_gp", "r1"])
@pytest.mark.parametrize("game", GAMES)
def test_every_game(together: Ask, game: str, loss: str) -> None:
    data = SGD if game == "wavegan" else PICTURES
    check(together, *data, "tricks=[]", *GAMES[game].split(), f"loss={loss}")


@pytest.mark.slow
@pytest.mark.parametrize("trick", TRICKS)
def test_every_trick(together: Ask, trick: str) -> None:
    more = {
        "experience_replay": ["tricks.experience_replay.size=24"],
        "lecam": ["tricks.lecam.start=1"],
        "topk": ["tricks.topk.every=1"],
    }
    words = [*DCGAN, "loss=nonsaturating", f"tricks=[{trick}]", *more.get(trick, [])]
    found = together(*words)
    if trick in REFUSED and "refused" in found:
        assert REFUSED[trick] in found["refused"]
    else:
        assert found["worst"] <= 1e-9, found


@pytest.mark.slow
@pytest.mark.parametrize("words", [[*POINTS, "loss=wgan_gp"], [*DCGAN, "loss=nonsaturating", "tricks=[diffaugment]"]])
def test_in_single_precision(together: Ask, words: list[str]) -> None:
    found = together(*words, double=False)
    assert found["worst"] <= 1e-5, found
