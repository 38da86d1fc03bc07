"""What a run's end says of its health."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Mapping

from gantrain.health import Finding, Verdict
from gantrain.training.loop import Run

WIDTH = 118
"""Of a line that is printed."""
UNBROKEN = "\N{NO-BREAK SPACE}"


def say_verdict(run: Run, figures: Mapping[str, float], quiet: bool = False) -> None:
    """Judges a run by its final figures, keeps the verdict, and prints it; of it only the sentence where `quiet`."""
    verdict = run.watch.judge(figures)
    told = Verdict(verdict.state, verdict.sentence) if quiet else verdict
    for line in verdict_lines(told, str(run.recorder.folder)):
        run.console.say(line)


def say_failure(run: Run, error: BaseException) -> None:
    """Says that a run failed, and why, where something else than its health ended it."""
    reason = " ".join(str(error).split())
    sentence = f"it failed at step {run.progress.step:,}: {type(error).__name__}{': ' * bool(reason)}{reason}"
    for line in _wrapped("verdict", sentence):
        run.console.say(line)


def verdict_lines(verdict: Verdict, folder: str) -> list[str]:
    """The lines that tell a verdict on the run in a folder: the sentence, what shows it, one thing to try."""
    said = [("verdict", verdict.sentence), *(("why", line) for line in verdict.evidence)]
    if verdict.advice:
        said.append(("try", verdict.advice.replace("run=…", shlex.quote(f"run={folder}"))))
    return [line for word, text in said for line in _wrapped(word, text)]


def _wrapped(word: str, text: str) -> list[str]:
    """Lines of a text; a command in it stays in one, so that it can be copied."""
    words, command, rest = text.partition("gantrain ")
    text = words + (command + rest).replace(" ", UNBROKEN)
    wrap = textwrap.TextWrapper(WIDTH, f"{word:<8}", " " * 8, break_long_words=False, break_on_hyphens=False)
    return [line.replace(UNBROKEN, " ") for line in wrap.wrap(text)]


def not_finite(step: int, sentence: str, advice: str) -> Finding:
    """The finding that ends a run which has left the numbers."""
    return Finding("not_finite", step, "numbers have left the range of floats", sentence, advice, "failure")
