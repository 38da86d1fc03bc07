import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from conftest import config, lines_of, only_run, round_of
from torch import Tensor

from gantrain.cli import main
from gantrain.commands.parts import build_parts
from gantrain.errors import UserError
from gantrain.training.compiled import Compiled
from gantrain.training.eager import Eager
from gantrain.training.execution import LONG, choose_execution
from gantrain.training.machine import Machine
from gantrain.training.pieces import Body, Faster
from gantrain.training.rounds import Rounds
from gantrain.training.state import Progress
from gantrain.turns import Batch

SMALL = ["dataset=digits", "model=dcgan", "trainer.batch_size=8", "model.generator.width=4"]
SMALL += ["model.discriminator.width=4", "trainer.precision=fp32"]
NORMALISED = [*SMALL, "loss=nonsaturating", "tricks=[ema]"]
POINTS = ["dataset=ring8", "trainer.batch_size=16"]
LOSSES = ("dragan", "hinge", "lsgan", "minimax", "nonsaturating", "r1", "r3", "ragan", "rpgan", "wgan", "wgan_gp")
TRICKS = (
    *("consistency", "experience_replay", "feature_matching", "gradient_clipping", "historical_averaging"),
    *("instance_noise", "label_flipping", "label_smoothing", "lecam", "minibatch_discrimination", "minibatch_stddev"),
    *("mode_seeking", "orthogonal", "packing", "spectral_norm", "topk", "unrolled", "weight_clipping"),
    *("weight_regularisation",),
)
GAMES = ("acgan", "bigan", "biggan", "cgan", "cogan", "infogan", "lapgan", "progan", "text2image", "triplegan")

QUICK = {"mlp, R1 and R2": ["dataset=ring8"], "dcgan, gradient penalty": [*SMALL, "loss=wgan_gp"]}
MORE = {
    "batch norm": NORMALISED,
    "spectral norm": [*SMALL, "loss=hinge", "tricks=[spectral_norm,ema]"],
    "relativistic, in two parts": [*SMALL, "loss=rpgan", "trainer.accumulate=2"],
    "in two parts": [*SMALL, "loss=r1", "trainer.accumulate=2"],
    "lazy": ["dataset=ring8", "loss=r1", "loss.penalties.r1.every=2"],
    "augmented": [*SMALL, "loss=r1", "tricks=[diffaugment]"],
    "adaptively augmented": [*SMALL, "loss=r1", "tricks=[ada]"],
    "virtual batch norm": [*NORMALISED[:-1], "tricks=[virtual_batch_norm]"],
    "reconstruction": [*SMALL, "loss=hinge", "tricks=[reconstruction]"],
    "bf16": [*SMALL[:-1], "trainer.precision=bf16", "loss=r1"],
    **{loss: [*POINTS, f"loss={loss}"] for loss in LOSSES},
    **{trick: [*POINTS, "loss=nonsaturating", f"tricks=[{trick}]"] for trick in TRICKS},
    **{game: [f"experiment={game}_digits", "trainer.batch_size=8"] for game in GAMES},
    **{game: [f"experiment={game}_digits"] for game in ("cyclegan", "pix2pix")},
    "sgan": ["experiment=sgan_digits", "trainer.batch_size=20"],
    "gman": ["experiment=gman_ring8"],
    "madgan": ["experiment=madgan_ring8"],
}
TO_ROUNDING = ("biggan", "lapgan")
"""Whose convolutions a compiler lays out otherwise in memory: equal to 1e-4 of themselves after one step."""


def played(
    execution: Callable[[Rounds], Eager], words: list[str], steps: int = 3
) -> tuple[list[Tensor], list[dict[str, float]]]:
    """Parameters and buffers after a few steps, and what was logged in them."""
    rounds = round_of(*words, "trainer.steps=1000")
    rounds.execution = execution(rounds)
    progress, logged = Progress(), []
    for step in range(steps):
        rounds.play(progress, observe=step == 1)
        logged.append(rounds.meter.read())
    return [*rounds.game.parameters(), *rounds.game.buffers()], logged


def check_equal(execution: Callable[[Rounds], Eager], words: list[str]) -> None:
    (eager, wanted), (faster, found) = (
        played(how, words) for how in (lambda rounds: Eager(rounds.game, rounds.machine), execution)
    )
    assert found == wanted
    assert all(torch.equal(a, b) for a, b in zip(eager, faster, strict=True))


@pytest.mark.parametrize("name", QUICK)
def test_compiled_turns_are_those_of_eager_ones(name: str) -> None:
    said: list[str] = []
    check_equal(lambda rounds: Compiled(rounds.game, rounds.machine, said.append, backend="aot_eager"), QUICK[name])
    assert not said


@pytest.mark.slow
@pytest.mark.parametrize("name", MORE)
def test_more_compiled_turns_are_those_of_eager_ones(name: str) -> None:
    """To the bit, which is more than any tolerance."""
    said: list[str] = []

    def compiled(rounds: Rounds) -> Compiled:
        return Compiled(rounds.game, rounds.machine, said.append, backend="aot_eager")

    if name in TO_ROUNDING:
        _, wanted = played(lambda rounds: Eager(rounds.game, rounds.machine), MORE[name], steps=2)
        _, found = played(compiled, MORE[name], steps=2)
        for one, other in zip(found, wanted, strict=True):
            assert losses_of(one) == pytest.approx(losses_of(other), rel=1e-4)
    else:
        check_equal(compiled, MORE[name])
    assert not said


def losses_of(logged: dict[str, float]) -> dict[str, float]:
    return {tag: value for tag, value in logged.items() if tag.startswith("loss/")}


class Given(Faster):
    """Turns by what a function makes of their bodies."""

    how = "given"

    def __init__(self, rounds: Rounds, make: Callable[[Body], Body], say: Callable[[str], None]) -> None:
        super().__init__(rounds.game, rounds.machine, say)
        self._make = make

    def piece(self, player: str, body: Body) -> Body:
        return self._make(body)


def changed(change: Callable[[Tensor], Tensor]) -> Callable[[Body], Body]:
    """Bodies with every gradient changed."""

    def make(body: Body) -> Body:
        def piece(batch: Batch) -> tuple[dict[str, Tensor], Tensor, list[Tensor | None]]:
            terms, total, gradients = body(batch)
            return terms, total, [None if gradient is None else change(gradient) for gradient in gradients]

        return piece

    return make


def untraceable(body: Body) -> Body:
    raise RuntimeError("no such operation\nmore of it")


def failing_later(body: Body) -> Body:
    calls = []

    def piece(batch: Batch) -> tuple[dict[str, Tensor], Tensor, list[Tensor | None]]:
        calls.append(batch)
        if len(calls) > 2:
            raise RuntimeError("too many shapes")
        return body(batch)

    return piece


KEEPING = [*SMALL, "loss=nonsaturating", "tricks=[experience_replay,lecam]", "tricks.experience_replay.size=24"]
KEEPING += ["tricks.lecam.start=1"]


@pytest.mark.parametrize(
    "words", [NORMALISED, [*NORMALISED, "trainer.accumulate=2"], [*SMALL, "loss=wgan_gp"], KEEPING]
)
def test_to_look_at_a_faster_turn_changes_nothing(words: list[str]) -> None:
    """Running statistics, what was drawn, and gradients that lie otherwise in memory than their parameters."""
    said: list[str] = []
    turned = changed(lambda gradient: gradient.transpose(0, -1).contiguous().transpose(0, -1))
    check_equal(lambda rounds: Given(rounds, turned, said.append), words)
    assert not said


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (changed(lambda gradient: gradient * 1.01), "off by 1%"),
        (untraceable, "RuntimeError: no such operation"),
        (failing_later, "RuntimeError: too many shapes"),
    ],
)
def test_what_does_not_do_stays_eager_and_is_said_once(make: Callable[[Body], Body], reason: str) -> None:
    said: list[str] = []
    words = ["dataset=ring8", "loss=r1", "loss.penalties.r1.every=2", "trainer.batch_size=16"]
    check_equal(lambda rounds: Given(rounds, make, said.append), words)
    of_d, of_g = said
    assert "turns of discriminator" in of_d
    assert "turns of generator" in of_g
    assert all("execution=given" in line and reason in line for line in said)


def test_gradients_that_are_not_finite_decide_nothing() -> None:
    """The first turns of an experiment with weights that overflow, then one with sound ones."""
    said: list[str] = []
    made: list[Body] = []
    rounds = round_of(*POINTS, "loss=nonsaturating")

    def make(body: Body) -> Body:
        made.append(body)
        return body

    execution = Given(rounds, make, said.append)
    turn, learner = rounds.game.turns[0], rounds.learners["discriminator"]
    batch, weight = rounds.draw(turn, 0, Progress()), learner.parameters[0]
    sound = weight.detach().clone()
    for value in (torch.nan, torch.inf):
        weight.data.fill_(value)
        execution.backward("discriminator", learner.parameters, batch, 1)
        assert not all(
            parameter.grad.isfinite().all() for parameter in learner.parameters if parameter.grad is not None
        )
    weight.data.copy_(sound)
    execution.backward("discriminator", learner.parameters, batch, 1)
    times = len(made)
    execution.backward("discriminator", learner.parameters, batch, 1)
    assert not said
    assert len(made) == times, "once it was seen to be right, the piece stays"


def test_an_execution_is_refused_where_it_is_not() -> None:
    game, machine = round_of(*POINTS).game, Machine(torch.device("cpu"))
    assert type(choose_execution("eager", game, machine, print)) is Eager
    assert type(choose_execution("compile", game, machine, print)) is Compiled
    with pytest.raises(UserError, match="needs CUDA, and here is cpu"):
        choose_execution("graph", game, machine, print)
    for word in ("compile", "graph"):
        with pytest.raises(UserError, match=f"execution={word} is for one device, and here play 2"):
            choose_execution(word, game, machine, print, devices=2)


AUTO = {
    "long": ([], "compile"),
    "short": ([f"trainer.steps={LONG - 1}"], "eager"),
    "a minute": (["trainer.minutes=1"], "eager"),
    "ten minutes": (["trainer.minutes=10"], "compile"),
    "in parts": (["trainer.accumulate=2"], "eager"),
    "plans that change": (["loss=nonsaturating", "tricks=[topk]"], "eager"),
    "asked for": (["trainer.execution=eager"], "eager"),
    "asked for, short": (["trainer.execution=compile", "trainer.steps=1"], "compile"),
    "fakes made once": (["loss=nonsaturating", "trainer.reuse_fakes=true"], "eager"),
    "convolutions": ([*SMALL, "loss=nonsaturating"], "eager"),
}


@pytest.mark.parametrize("name", AUTO)
def test_what_auto_means(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr("gantrain.training.execution.can_compile", lambda: True)
    words, wanted = AUTO[name]
    assert build_parts(config(*POINTS, f"trainer.steps={LONG}", *words), None, print).execution == wanted


def test_auto_needs_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gantrain.training.execution.can_compile", lambda: False)
    assert build_parts(config(*POINTS, f"trainer.steps={LONG}"), None, print).execution == "eager"


@pytest.mark.parametrize(("least", "then"), [(3, 5), (2, 100)])
def test_what_auto_meant_stays_when_a_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], least: int, then: int
) -> None:
    """All steps are looked at here, so that nothing is compiled in fact."""
    monkeypatch.setattr("gantrain.training.execution.can_compile", lambda: True)
    monkeypatch.setattr("gantrain.training.execution.LONG", least)
    assert main([*POINTS, "trainer.steps=2", "log.every=1", "metrics=none", f"outputs_dir={tmp_path}"]) == 0
    run, began = only_run(tmp_path), capsys.readouterr().out
    assert ("compiled)" in began) == ("turns are compiled as they come" in began) == (least == 2)
    monkeypatch.setattr("gantrain.training.execution.LONG", then)
    assert main([f"run={run}", "trainer.steps=4"]) == 0
    assert ("compiled)" in capsys.readouterr().out) == (least == 2)
    assert ("compiled" in (run / "status.json").read_text()) == (least == 2)


@pytest.fixture
def doubles() -> Iterator[None]:
    """Networks and samples in float64; only the loss terms themselves are float32."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("g++"), reason="there is no compiler of C++ here")
@pytest.mark.parametrize("loss", ["r3", "hinge"])
@pytest.mark.usefixtures("doubles")
def test_compiled_losses_are_those_of_eager_turns(loss: str) -> None:
    """Of the code that is really run, over several steps, to the rounding of the terms."""
    said: list[str] = []
    words = [*POINTS, f"loss={loss}", "tricks=[ema]", "model.generator.hidden=[16]", "model.discriminator.hidden=[16]"]
    _, wanted = played(lambda rounds: Eager(rounds.game, rounds.machine), words, steps=8)
    _, found = played(lambda rounds: Compiled(rounds.game, rounds.machine, said.append), words, steps=8)
    assert not said
    for one, other in zip(found, wanted, strict=True):
        assert losses_of(one) == pytest.approx(losses_of(other), rel=1e-6)


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("g++"), reason="there is no compiler of C++ here")
def test_a_compiled_run_is_an_eager_one_to_rounding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["dataset=ring8", "trainer.steps=9", "log.every=4", "metrics=none"]  # steps 1 to 3 are not looked at
    made: list[Body] = []
    piece = Compiled.piece

    def counted(compiled: Compiled, player: str, body: Body) -> Body:
        made.append(piece(compiled, player, body))
        return made[-1]

    monkeypatch.setattr(Compiled, "piece", counted)
    for how in ("eager", "compile"):
        assert main([*words, f"trainer.execution={how}", f"outputs_dir={tmp_path / how}"]) == 0
        assert len(made) == (2 if how == "compile" else 0)
    assert "stay eager" not in capsys.readouterr().out
    eager, compiled = (lines_of(only_run(tmp_path / how) / "metrics.jsonl") for how in ("eager", "compile"))
    for wanted, found in zip(eager, compiled, strict=True):
        assert losses_of(found) == pytest.approx(losses_of(wanted), rel=1e-3, abs=1e-4)
