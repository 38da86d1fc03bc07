"""What a config may put where: the right kind of class, every item of a list, every setting, also of a user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conftest import config

from gantrain.commands.assembly import build_game, build_learners, build_metrics, plain
from gantrain.config import build
from gantrain.data import Source
from gantrain.errors import UserError
from gantrain.losses import AdversarialLoss, Penalty

PICTURES = ["dataset=digits", "model=dcgan_small", "loss=r1"]


def built(*words: str) -> None:
    """As far as a run gets before it reads data."""
    cfg = config(*words)
    source: Source = build(plain(cfg.dataset), "dataset", Source)
    game = build_game(cfg)
    build_metrics(cfg, source, game)
    build_learners(cfg, game)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        # every item of a list, with the nearest right word
        (
            [*PICTURES, "tricks=[ada]", "tricks.ada.augmentations=[blit,geometri]"],
            r"augmentations\[1\]='geometri' should be one of blit, geometry, colour, did you mean geometry\?",
        ),
        (
            [*PICTURES, "tricks=[diffaugment]", "tricks.diffaugment.policy=[color,cutuot]"],
            r"tricks.diffaugment.policy\[1\]='cutuot' should be .* did you mean cutout\?",
        ),
        (["model.generator.hidden=[8,x]"], r"model.generator.hidden\[1\]='x' should be a whole number"),
        (["model.generator.hidden=8"], "model.generator.hidden=8 should be a list of whole numbers"),
        # settings of an inherited constructor
        (["loss=r3", "loss.penalties.r2.weight=[1,2]"], r"loss.penalties.r2.weight=\[1, 2\] should be a number"),
        (["loss=dragan", "loss.penalties.dragan.every=2.5"], "dragan.every=2.5 should be a whole number"),
        (["loss=r1", "loss.penalties.r1.weight=-1"], "loss.penalties.r1.weight must be 0 or more"),
        (["dataset=ring8", "dataset.modes=true"], "dataset.modes=true should be a whole number"),
        # plain values where a class belongs
        (["tricks.ema=null"], "tricks.ema=null should be a trick: to take it away, write ~tricks.ema"),
        (["+tricks.foo=3"], "tricks.foo=3 should be a trick, with a _target_"),
        (["tricks.ema=abc"], "tricks.ema='abc' should be a trick"),
        (["optimizer.schedule=-1"], "optimizer.schedule=-1 should be a rate schedule"),
        (["~optimizer.schedule"], "optimizer.schedule=null should be a rate schedule"),
        (["optimizer.generator=sgd"], "optimizer.generator='sgd' should be an optimizer"),
        (["optimizer.generator=null"], "optimizer.generator=null should be an optimizer"),
        (["model.generator=3"], "model.generator=3 should be a generator"),
        (["model.noise=null"], "model.noise=null should be a noise"),
        (["dataset=ring8", "metrics.known.modes=null"], "metrics.known.modes=null should be a metric"),
        # classes of another kind
        (["+loss.penalties.x._target_=gantrain.tricks.EMA"], "loss.penalties.x._target_=.*EMA is no penalty"),
        (["loss.adversarial._target_=gantrain.losses.R1"], "R1 is no adversarial loss"),
        (["+tricks.x._target_=gantrain.losses.R1"], "R1 is no trick"),
        (["+loss.tricks.x._target_=gantrain.losses.R1"], "loss.tricks.x._target_=.*R1 is no trick"),
        (["model._target_=gantrain.networks.Noise"], "Noise is no game"),
        (
            ["model.generator._target_=gantrain.networks.MLPDiscriminator", "model.generator.norm=none"],
            "MLPDiscriminator is no generator",
        ),
        (["loss.penalties=3"], "loss.penalties=3 should be a mapping from names to penalties, or null"),
        (["model.noise._target_=gantrain.data.Ring", "model.noise.dim=2"], "Ring is no noise"),
        (["dataset._target_=gantrain.losses.R1"], "R1 is no source"),
        (["dataset.augment._target_=gantrain.losses.R1"], "R1 is no augment"),
        (["optimizer.generator._target_=gantrain.losses.R1"], "R1 is no optimizer"),
        (["optimizer.schedule._target_=torch.optim.SGD"], "SGD is no rate schedule"),
        (["dataset=ring8", "metrics.known.modes._target_=gantrain.losses.R1"], "R1 is no metric"),
        (["model.generator._partial_=false"], "model.generator._partial_ must be true"),
        (["model.generator._partial_=3"], "model.generator._partial_ should be true or false"),
        (["+model.noise._partial_=true"], "model.noise._partial_ must be left out"),
        # optimizers, which are PyTorch's
        (["+optimizer.generator.foreach=true"], "optimizer.generator.foreach is set by gantrain itself"),
        (["optimizer.betas=[]"], r"betas=\[\] should be a list of 2 numbers"),
        (["optimizer.betas=0.5"], "betas=0.5 should be a list of 2 numbers"),
        (["optimizer.betas=[0.5,1]"], r"betas\[1\] must be less than 1"),
        (["optimizer.lr=-1"], "lr must be 0 or more"),
        (["optimizer.lr=inf"], "lr must be less than inf"),
        (["optimizer=sgd", "optimizer.momentum=nan"], "momentum must be a number"),
        (["optimizer=rmsprop", "optimizer.alpha=7"], "alpha must be 1 or less"),
        (["+optimizer.genrator.lr=1"], "optimizer.genrator: the game has no player genrator, did you mean generator"),
        (["+model.loss=3"], "model.loss is set by gantrain itself"),
        # sizes
        (["dataset=ring8", "dataset.modes=0"], "dataset.modes must be 1 or more"),
        ([*PICTURES, "model.generator.width=100000000000000000000000"], "model.generator.width must be 65536 or less"),
        (["dataset.augment.crop=16"], "augment.crop=16 must be less than the images' side, 16"),
        (["tricks=[label_smoothing]", "tricks.label_smoothing.real=7", "loss=lsgan"], "real must be 1 or less, got 7"),
        # facts of the dataset
        (["data.shape=[1,8,8]"], "data.shape follows from the dataset"),
        (["model.discriminator.shape=[1,8,8]"], r"model.discriminator.shape=\[1, 8, 8\] is not the dataset's"),
        ([*PICTURES, "model=cgan", "model.classes=3"], "model.classes=3 is not the dataset's, 10"),
        # advice that can be followed
        (["dataset=ring8", "model=cgan"], "set networks=mlp"),
        (
            ["dataset=mnist", "model=gman", "networks@model=dcgan_small", "model.roles=scales"],
            r"discriminator_2 judges pictures of 7x7.* set a smaller model\.count",
        ),
        (["+tricks.ema=3"], "tricks.ema is there already: leave out the +"),
    ],
)
def test_what_belongs_elsewhere_is_refused_by_name(words: list[str], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence) as refused:
        built(*words)
    assert "\n" not in str(refused.value)


def test_the_advice_for_points_can_be_followed() -> None:
    built("dataset=ring8", "model=cgan", "networks@model=mlp", "model.conditioning=embedding", "loss=hinge")


def test_more_memory_than_there_is_is_one_sentence() -> None:
    node = {"_target_": "gantrain.networks.MLPDiscriminator", "shape": [1, 65536, 65536], "hidden": [65536]}
    with pytest.raises(UserError, match=r"\Amodel.discriminator: its layers ask for more memory than there is: "):
        build(node, "model.discriminator")


def test_whole_numbers_may_be_written_with_an_exponent() -> None:
    assert build({"_target_": "gantrain.losses.R1", "every": 1e1}, "penalty").every == 10
    assert isinstance(build({"_target_": "gantrain.losses.R1", "every": 1e1}, "penalty").every, int)


OWN = """
from __future__ import annotations
from typing import TYPE_CHECKING
from gantrain.losses import Hinge, R1
if TYPE_CHECKING:
    from nowhere import Thing

class Softer(Hinge):
    def __init__(self, thing: Thing = None, slope=1.0, pair=(0.1, 0.2), **more) -> None:
        if more.pop("broken", False):
            raise RuntimeError("two\\nlines")
        self.given = {"slope": slope, "pair": pair, **more}

class Lazy(R1):
    def __init__(self, extra: int = 0, **kwargs) -> None:
        super().__init__(**kwargs)

class Bare(Hinge):
    pass
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package of the user's own, which is trusted."""
    (tmp_path / "ownlosses.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("GANTRAIN_TRUST", "ownlosses")
    return "ownlosses"


def test_a_users_own_class_may_take_what_it_likes(own: str) -> None:
    node = {"_target_": f"{own}.Softer", "slope": 2, "pair": [1, 2], "colour": "red", "thing": {"a": [1]}}
    assert build(node, "loss", AdversarialLoss).given == {"slope": 2, "pair": (1, 2), "colour": "red"}
    assert build({"_target_": f"{own}.Lazy", "every": 4}, "penalty", Penalty).every == 4


@pytest.mark.parametrize(
    ("node", "sentence"),
    [
        ({"_target_": "Softer", "slope": "steep"}, "loss.slope='steep' should be a number"),
        ({"_target_": "Softer", "pair": [1]}, r"loss.pair=\[1\] should be a list of 2 numbers"),
        ({"_target_": "Softer", "broken": True}, "loss: two lines"),
        ({"_target_": "Lazy", "every": 2.5}, "loss.every=2.5 should be a whole number"),
        ({"_target_": "Lazy", "evry": 2}, "unexpected keyword argument 'evry'"),
        ({"_target_": "Bare", "slope": 2}, "loss.slope is no setting of Bare, which has none"),
    ],
)
def test_a_users_own_class_is_checked_as_far_as_it_says_what_it_takes(
    own: str, node: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UserError, match=sentence):
        build({**node, "_target_": f"{own}.{node['_target_']}"}, "loss")
