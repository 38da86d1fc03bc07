"""The help pages. No torch here: help answers at once."""

from __future__ import annotations

from textwrap import fill

from gantrain.options import CONFIGS, listed, options_of

GROUPS = {
    "dataset": "what is real",
    "model": "the game, with networks that suit it",
    "networks": "other networks for it",
    "loss": "what they fight for",
    "optimizer": "how they move",
    "optimizer/schedule": "how the learning rate goes",
    "tricks": "what helps; several with tricks=[a,b]",
    "trainer": "how long, how many at once, on what",
    "metrics": "how good it is",
    "experiment": "whole recipes",
    "sweep": "many runs at once, with gantrain -m",
    "debug": "a look before a long run",
}
EXAMPLES = {
    "dataset": "dataset=cifar10, dataset.path=~/pictures",
    "model": "model=resnet model.generator.width=64",
    "networks": "model=cgan networks=resnet",
    "loss": "loss=wgan_gp, loss=r1 loss.penalties.r1.weight=1",
    "optimizer": "optimizer.generator.lr=1e-4",
    "optimizer/schedule": "optimizer/schedule=cosine",
    "tricks": "'tricks=[ema,spectral_norm]'",
    "trainer": "trainer.steps=5000 trainer.device=cpu trainer.on_nonfinite=rollback",
    "metrics": "'metrics.use=[fid_classifier,memorised]' metrics.every=1000",
    "experiment": "experiment=gaussian1d_collapse",
    "sweep": "-m sweep=losses, -m sweep=tpe 'optimizer.lr=tag(log,interval(1e-4,1e-2))'",
    "debug": "debug=dry",
}

PS = (
    "Lists the runs below a folder (outputs where none is named), a line each: whether it is running, finished, "
    "stopped by a signal, failed, or died (it was running, and its process is gone), its last logged step, when it was "
    "last heard of, and its process and computer. Of those that did not finish it says why."
)


def general_help() -> str:
    """What there is, with one example each."""
    lines = [
        "gantrain trains generative adversarial networks from YAML.",
        "",
        "  gantrain                                     trains on bundled digits, about a minute on a laptop",
        "  gantrain dataset=mnist loss=wgan_gp          choose by group=option",
        "  gantrain dataset.path=~/pictures budget=1h   your own pictures, the best that an hour makes of them",
        "  gantrain -m loss=hinge,lsgan seed=0,1        sweep: every combination, one folder, one table",
        "  gantrain dataset=ring8 trainer.replicas=10   ten seeds of a small game, trained at once",
        "  tensorboard --logdir outputs                 look",
        "",
        "commands",
        "  gantrain [train] [group=option …]            train; run=<folder> goes on with a run",
        "  gantrain sample run=<folder> n=64            samples of a run, or a look inside: show=saliency",
        "  gantrain evaluate run=<folder>               measure a run; metrics=[fid_classifier], checkpoint=all",
        "  gantrain data dataset.path=~/pictures        tell what is in a data set, and show what D will see",
        "  gantrain export run=<folder> format=onnx     the generator for other programs; safetensors, torch",
        "  gantrain report runs=<folder>[,<folder> …]   the report of a run or a sweep, or of runs side by side",
        "  gantrain fork run=<folder> step=4000 loss=…  go on from a step with something changed, in a new folder",
        "  gantrain ps [folder]                         the runs below a folder (outputs): which run, ended or died",
        "",
        "groups",
    ]
    for group, what in GROUPS.items():
        options = " ".join(listed(group, options_of(group)))
        block = fill(options, 110, initial_indent=" " * 6, subsequent_indent=" " * 6)
        lines += [f"  {group:<20} {what}", block, f"      e.g. gantrain {EXAMPLES[group]}"]
    lines += [
        "",
        "Data sets, losses and experiments bring options made for them alone, which no list names:",
        "gantrain dataset=ring8 --info defaults shows those that a line chooses.",
        "",
        "flags (anywhere in the line)",
        "  -m, --multirun          run every combination of comma-separated values",
        "  --cfg job --resolve     print the complete config and stop",
        "  --config-dir DIR        add your own groups and options",
        "  --trust PACKAGE         let configs name classes of your own package",
        '  --help, --version, --hydra-help, --info, --shell-completion (eval "$(gantrain -sc install=bash)")',
        "",
        "gantrain sample --help says more about sample, and so for each command. Every setting: gantrain --cfg job",
    ]
    return "\n".join(lines)


def command_help(command: str) -> str:
    """One command's settings, as its config explains them."""
    if command == "train":
        return general_help()
    if command == "ps":
        return f"gantrain ps [folder]\n\n{fill(PS, 110, initial_indent='  ', subsequent_indent='  ')}"
    text = (CONFIGS / f"{command}.yaml").read_text()
    lines = (line for line in text.splitlines() if line and not line.startswith(("defaults", "hydra")))
    kept = [line for line in lines if not line.startswith("  ") or line.lstrip().startswith("#")]
    return f"gantrain {command}\n\n" + "\n".join(f"  {line}" for line in kept)
