"""The types of the fixed groups."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Precision(Enum):
    auto = "auto"
    fp32 = "fp32"
    bf16 = "bf16"


class Execution(Enum):
    auto = "auto"
    eager = "eager"
    compile = "compile"
    graph = "graph"


class OnNonfinite(Enum):
    stop = "stop"
    skip = "skip"
    rollback = "rollback"


class Direction(Enum):
    minimize = "minimize"
    maximize = "maximize"


@dataclass
class Trainer:
    steps: int = 1000
    """Rounds of turns."""
    minutes: float | None = None
    """Stop by the clock after this long; null for no limit."""
    batch_size: int = 64
    """Samples per turn, of all devices together."""
    accumulate: int = 1
    """Parts in which a batch is played, for memory: gradients add up over them."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1 or mps."""
    precision: Precision = Precision.auto
    """auto, fp32 or bf16. auto: bf16 for convolutions on processors made for it, else fp32."""
    deterministic: bool = False
    """On a GPU: cuDNN takes its kernels by a rule, so that convolutions give the same bits from the same seed. Else it
    takes those that it finds fastest, and a run holds to rounding, which games enlarge over many steps. On a CPU a run
    holds to the bit in any case. TF32 is used nowhere."""
    execution: Execution = Execution.auto
    """How a turn runs."""
    reuse_fakes: Any = False
    """The generator's turn plays the batch and the fakes of the discriminator's last one before it, which are made
    once: one generator's forward less per round. Else it draws its own. auto: on a CPU, where nothing else in the
    config stands against it."""
    shard: bool = False
    """Of several processes each keeps an equal part of weights, averages and optimizer states. Networks are whole while
    they play a turn, are judged or sampled from."""
    data_budget: int | None = None
    """Bytes of data that may lie on the device; null for half of its free memory. Larger sets are read ahead."""
    on_nonfinite: OnNonfinite = OnNonfinite.stop
    """Where losses, gradients or weights are no numbers. stop: the run ends, and its last checkpoint is good.
    skip: a turn whose gradients are not finite is not made, 19 in a row at most; losses logged over one are null.
    rollback: back to the last good checkpoint, five times at most, from where other samples and numbers are drawn."""
    give_up: float | None = None
    """The share of the steps after which a run ends that its health finds to fail; null for never. It saves a search
    the rest of hopeless runs, but some runs recover."""
    replicas: int = 1
    """Runs that differ in nothing but the seed, trained at once: so many from `seed` on."""
    threads: int | None = None
    """Threads of the CPU; null is one without convolutions, else PyTorch's choice."""


@dataclass
class Log:
    every: int = 50
    samples_every: int = 500
    histograms_every: int | None = None
    sinks: list[str] = field(default_factory=lambda: ["tensorboard"])
    """Where else numbers and pictures go: tensorboard, trackio, wandb, mlflow."""


class OnFailure(Enum):
    """What happens where the disk does not take a checkpoint."""

    go_on = "go_on"
    stop = "stop"


@dataclass
class Checkpoint:
    every: int = 1000
    keep: int = 3
    on_failure: OnFailure = OnFailure.go_on


@dataclass
class Metrics:
    every: int | None = None
    """Steps between evaluations; null evaluates at the end only."""
    best: str | None = None
    """The tag by which checkpoints/best.pt is chosen, such as metrics/fid."""
    use: list[str] | None = field(default_factory=list)
    """A figure of `known`, or one in a space of `spaces`: fid, fid_classifier, memorised_pixels.
    null measures what suits the data set, as often as the length of the run allows."""
    n: int | None = None
    """Generated samples for figures over features; null for each metric's own number."""
    known: dict[str, Any] = field(default_factory=dict)
    spaces: dict[str, Any] = field(default_factory=dict)


@dataclass
class Debug:
    dry: bool = False
    overfit: int | None = None


@dataclass
class Sweep:
    """Which runs `gantrain -m sweep=…` makes, and by what a search compares them."""

    over: dict[str, Any] = field(default_factory=dict)
    """What is swept unless the command line says otherwise: by key its values as they are typed, 0,1,2 or range(0,5),
    for a search interval(0.1,1) too."""
    trials: int | None = None
    """Runs of a search, of which each learns from those before; null runs every combination."""
    metric: str | None = None
    """What a search compares runs by, such as metrics/modes; null for metrics.best, else the first figure measured."""
    direction: Direction | None = None
    """minimize or maximize; null for what is better by what is known of the metric."""


@dataclass
class Data:
    """Facts of the dataset that networks need; filled in, never chosen."""

    shape: Any = None
    shown: Any = None
    other_shape: Any = None
    classes: int | None = None
    input_shape: Any = None
    alphabet: str | None = None
    caption_length: int | None = None


@dataclass
class Choices:
    """What was chosen, as it was typed; filled in, never chosen."""

    groups: dict[str, Any] = field(default_factory=dict)
    """The option of each group, such as model: dcgan; of tricks a list."""
    overrides: list[str] = field(default_factory=list)
    """The words of the command line that chose it, in order."""


@dataclass
class Config:
    """Everything a run follows from. The open groups (model, loss, tricks, dataset, optimizer) hold `_target_`s."""

    seed: int = 0
    name: str | None = None
    run: str | None = None
    init_from: str | None = None
    data_dir: str | None = None
    outputs_dir: str = "outputs"
    budget: str | None = None
    """A time such as 30m, in which the run is to make the best; auto: 25m on a CPU, on a GPU what the recipe takes."""
    recipes: dict[str, Any] = field(default_factory=dict)
    """Experiments that a budget takes instead of the data set's own recipe, the cheapest first, with the steps from
    which each is worth its cost."""
    trainer: Trainer = field(default_factory=Trainer)
    log: Log = field(default_factory=Log)
    checkpoint: Checkpoint = field(default_factory=Checkpoint)
    metrics: Metrics = field(default_factory=Metrics)
    debug: Debug = field(default_factory=Debug)
    sweep: Sweep = field(default_factory=Sweep)
    data: Data = field(default_factory=Data)
    choices: Choices = field(default_factory=Choices)
    optimizer: Any = None
    model: Any = None
    loss: Any = None
    tricks: dict[str, Any] = field(default_factory=dict)
    dataset: Any = None


@dataclass
class EvaluateRequest:
    """What `gantrain evaluate` is asked for."""

    run: str | None = None
    metrics: list[str] = field(default_factory=list)
    n: int | None = None
    checkpoint: str = "last"
    ema: bool = True
    seed: int | None = None
    data_dir: str | None = None
    device: str = "auto"
    known: dict[str, Any] = field(default_factory=dict)
    spaces: dict[str, Any] = field(default_factory=dict)


@dataclass
class DataRequest:
    """What `gantrain data` is asked for, beside what a run is."""

    out: str | None = None
    n: int = 24


@dataclass
class ReportRequest:
    """What `gantrain report` is asked for."""

    runs: str | None = None
    out: str | None = None


@dataclass
class SampleRequest:
    """What `gantrain sample` is asked for."""

    run: str | None = None
    show: str = "samples"
    n: int | None = None
    seed: int = 0
    grid: str | None = None
    interpolate: str | None = None
    truncation: float | None = None
    standing: int | None = None
    format: str | None = None
    frames: int = 60
    out: str | None = None
    space: str | None = None
    projector: bool = False
    checkpoint: str = "last"
    input: str | None = None
    tile: int | None = None
    ema: bool = True
    device: str = "auto"


@dataclass
class ExportRequest:
    """What `gantrain export` is asked for."""

    run: str | None = None
    format: str = "safetensors"
    out: str | None = None
    to: str | None = None
    checkpoint: str = "last"
    ema: bool = True
