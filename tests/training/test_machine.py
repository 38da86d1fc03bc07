"""The machine's rules, and what a turn tells tricks and the log."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from conftest import CPU, config, round_of
from torch import nn

from gantrain.commands.assembly import build_game
from gantrain.training import machine as machines
from gantrain.training.loop import Every, Limits
from gantrain.training.machine import Machine, choose_machine
from gantrain.training.rounds import Progress

RING = ["dataset=ring8", "loss=nonsaturating", "optimizer=adam", "trainer.batch_size=8"]
RING += ["model.generator.hidden=[4]", "model.discriminator.hidden=[4]"]
DCGAN = ["model=dcgan", "model.generator.width=4", "model.discriminator.width=4", "dataset.image_size=8"]


@pytest.mark.parametrize("unit", [None, "_is_avx512_bf16_supported", "_is_amx_tile_supported"])
def test_bf16_by_itself_for_convolutions_where_the_processor_is_made_for_it(
    unit: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for probe in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, probe, lambda here=probe == unit: here, raising=False)
    flat, convolutions = (build_game(config(*words)) for words in (RING, DCGAN))
    fast = torch.bfloat16 if unit else torch.float32
    assert choose_machine("cpu", "auto", convolutions).dtype == fast
    assert choose_machine("cpu", "auto", flat).dtype == torch.float32
    for game in (flat, convolutions):
        assert choose_machine("cpu", "bf16", game).dtype == torch.bfloat16
        assert choose_machine("cpu", "fp32", game).dtype == torch.float32


@pytest.fixture
def kernel_flags() -> Iterator[None]:
    """PyTorch's flags are the process's own: as they were before, afterwards."""
    owners = [(torch.backends.cudnn, name) for name in ("deterministic", "benchmark", "allow_tf32")]
    owners += [(torch.backends.cuda.matmul, "allow_tf32")]
    before = [getattr(owner, name) for owner, name in owners]
    for owner, name in owners:
        setattr(owner, name, True)
    yield
    for (owner, name), value in zip(owners, before, strict=True):
        setattr(owner, name, value)


@pytest.mark.parametrize("words", [["trainer.deterministic=true"], ["trainer.deterministic=false"], []])
@pytest.mark.usefixtures("kernel_flags")
def test_kernels_on_a_gpu_are_timed_unless_bits_are_to_be_the_same(
    words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cudnn, products = torch.backends.cudnn, torch.backends.cuda.matmul
    moved: list[object] = []
    monkeypatch.setattr(nn.Module, "to", lambda module, *given, **named: moved.append(given))
    monkeypatch.setattr(machines, "choose_device", lambda word, local=None: torch.device("cuda"))
    cfg = config(*RING, *words, "trainer.precision=fp32")
    game = build_game(cfg)
    machine = choose_machine("cuda", "fp32", game, cfg.trainer.deterministic)
    machine.place(game)
    same = words == ["trainer.deterministic=true"]
    assert (cudnn.deterministic, cudnn.benchmark) == (same, not same)
    assert not cudnn.allow_tf32
    assert not products.allow_tf32
    assert moved == [(torch.device("cuda"),)], "float32 on a GPU stays in cuDNN's own order"
    Machine(torch.device("cuda")).place(game)
    assert cudnn.deterministic, "what samples and evaluates does not time kernels"


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_pictures_lie_channels_last_on_a_cpu(dtype: torch.dtype) -> None:
    game = build_game(config(*DCGAN))
    Machine(CPU, dtype).place(game)
    kernels = [p for p in game.parameters() if p.dim() == 4 and min(p.shape) > 1]
    assert kernels
    assert all(p.is_contiguous(memory_format=torch.channels_last) for p in kernels)


def test_threads_are_for_convolutions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machines, "_DEFAULT_THREADS", 3)
    chosen: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", chosen.append)
    for threads, module in ((None, nn.Linear(1, 1)), (None, nn.Conv2d(1, 1, 1)), (2, nn.Linear(1, 1))):
        machines.set_threads(threads, module)
    assert chosen == [1, 3, 2]


@pytest.mark.parametrize("loss", ["wgan_gp", "r1", "dragan"])
def test_a_penalty_is_taken_without_autocast(loss: str) -> None:
    rounds = round_of(*DCGAN, f"loss={loss}", "trainer.batch_size=4", "loss.n_critic=1")
    rounds.machine = rounds.execution.machine = Machine(CPU, torch.bfloat16)
    seen: list[tuple[bool, bool]] = []

    def note(_: nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        seen.append((given[0].requires_grad, torch.is_autocast_enabled("cpu")))

    rounds.game.get_submodule("discriminator.trunk").register_forward_pre_hook(note)
    rounds.turn(rounds.game.turns[0], 0, Progress(), observe=False)
    assert (False, True) in seen, "samples are judged in bf16"
    assert (True, False) in seen, "the points of a penalty in float32"
    assert (True, True) not in seen


def test_tricks_are_told_the_size_of_the_whole_batch() -> None:
    rounds = round_of(*RING, "trainer.accumulate=4", "tricks=[ema]")
    rounds.play(Progress())
    assert rounds.game.get_buffer("tricks.ema.images").item() == 8


def test_the_gradients_norm_is_that_before_clipping() -> None:
    norms = []
    for words in (["tricks=[]"], ["tricks=[gradient_clipping]", "tricks.gradient_clipping.max_norm=1e-4"]):
        rounds = round_of(*RING, *words)
        rounds.turn(rounds.game.turns[0], 0, Progress(), observe=True)
        norms.append(rounds.meter.read()["grad_norm/discriminator"])
    assert norms[1] == norms[0] > 1e-4


@pytest.mark.parametrize(
    ("step", "seconds", "reason"),
    [(9, 149.9, None), (9, 150.0, "2.5 minutes are over"), (10, 0.0, "all steps are done"), (9, 0.0, None)],
)
def test_a_run_ends_after_its_steps_or_its_minutes(step: int, seconds: float, reason: str | None) -> None:
    never = Every(None)
    limits = Limits(10, 2.5, never, never, never, never, never)
    assert limits.reached(Progress(step=step, seconds=seconds)) == reason
