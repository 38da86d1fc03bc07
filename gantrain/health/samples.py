"""Whether generated samples are like real ones: as varied, with every kind among them, and no copies."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from gantrain.health.facts import Facts
from gantrain.health.findings import LONGER, Certain, Lasting, percent

ALIKE = 0.4
"""Mean distance between generated samples over that between real ones; healthy runs stay above 0.6."""
RISING = 6
"""Lines after which the variety of a generator that learns has risen."""
LOOKS = 3
"""In which what is missing has not become less: then it is not on its way."""
ABSENT = 0.4
"""Share of real points that have no generated one near, where 0.05 is expected."""
ABSENT_PICTURES = 0.97
"""The same of pictures, whose distances small flaws fill: up to 0.8 in healthy runs of small networks."""
COPIED = 0.15
"""Share of generated samples that are copies; none is expected."""
DECIBELS = 8.0
"""By which the upper third of a spectrum may be off; healthy runs of small networks end 3 to 7 above it."""
OVERFIT = 0.9
"""Karras et al.'s r_v: 1 means that D takes held-out real samples for generated ones. Small healthy runs reach 0.7."""
TELLS_APART = 0.75
"""Accuracy above which r_v is more than noise."""


class Collapse(Lasting):
    """Generated samples are nearly all the same."""

    name, title, severity = "collapse", "the generator has collapsed", "failure"
    patience, warm_up = 4, 0.1

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts)
        self._before: deque[float] = deque(maxlen=RISING)

    def look(self, step: int, numbers: Mapping[str, float]) -> str | None:
        ratio = numbers.get("health/diversity")
        if ratio is None or self.latest.get("health/real_spread", 1.0) < 1e-4:
            return None
        rises = len(self._before) < RISING or ratio > 1.2 * self._before[0]
        self._before.append(ratio)
        if ratio >= ALIKE or (rises and ratio > ALIKE / 10):  # a generator that is on its way has not collapsed
            return ""
        return f"generated samples differ from each other {percent(ratio)} as much as real ones do"

    def advice(self) -> str:
        trick = self.facts.against_collapse
        if trick not in self.facts.tricks:
            return f"let D see several samples at once: {self.facts.with_tricks(trick)}"
        return f"restrain D, and slow G down: loss=r1 {self.facts.lower_rate('generator')}"


class ModeDropping(Lasting):
    """Classes or modes of the data are not among generated samples: by a metric where one is measured."""

    name, title = "mode_dropping", "parts of the data are never generated"
    patience, warm_up = 1, 0.3

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts)
        self._looks: deque[tuple[float, float]] = deque(maxlen=LOOKS)
        self._measured = False  # by a metric, which knows more than a look
        self._lacked = False  # when it was measured last

    def look(self, step: int, numbers: Mapping[str, float]) -> str | None:
        modes = numbers.get("metrics/modes")
        if modes is not None and self.facts.modes:
            self._measured = True
            missing = modes < 0.99 * self.facts.modes
            self._weigh(self.facts.modes - modes)
            return self._twice(step, f"{modes:,.0f} of {self.facts.modes:,} modes are hit" if missing else "")
        for tag, missed in numbers.items():
            if tag.startswith("metrics/missing_classes"):
                self._measured = True
                self._weigh(missed)
                return self._twice(step, f"{missed:.0f} {self._classes} are missing" if missed else "")
        absent, count = numbers.get("health/missing"), numbers.get("health/missing_classes")
        if step == 0 or self._measured or (absent is None and count is None):
            return None
        self._looks.append((count or 0.0, absent or 0.0))
        (counted, gone), waits = self._looks[0], len(self._looks) < LOOKS
        if count and not waits and count >= counted:
            self._weigh(count)
            return f"{count:.0f} {self._classes} {'is' if count == 1 else 'are'} not among 256 generated samples"
        most = ABSENT_PICTURES if self.facts.pictures else ABSENT
        if absent is not None and absent > most and not waits and absent > 0.9 * gone:
            self.severity = "warning"
            return f"{percent(absent)} of real samples have no generated one near; about 5 % would if all were well"
        return ""

    def _twice(self, step: int, said: str) -> str | None:
        """What a metric shows, once it shows it in two evaluations, or in the last one: early on much is on its way."""
        lacked, self._lacked = self._lacked, bool(said)
        return Certain(said) if not said or lacked or step >= self.facts.steps else None

    def _weigh(self, missing: float) -> None:
        """Half of them missing is a failure."""
        self.severity = "failure" if 2 * missing >= (self.facts.modes or self.facts.classes or 100) else "warning"

    @property
    def _classes(self) -> str:
        kind = "modes" if self.facts.modes else "classes"
        count = self.facts.modes or self.facts.classes
        return f"of {count} {kind}" if count else kind

    def advice(self) -> str:
        trick = self.facts.against_collapse
        if trick not in self.facts.tricks:
            return f"let D see several samples at once: {self.facts.with_tricks(trick)}"
        return "train against relativistic pairs with penalties, which drop fewer: loss=r3"


class Copies(Lasting):
    """Generated pictures are training pictures."""

    name, title = "memorised", "the generator copies training samples"
    patience, warm_up = 2, 0.1

    def look(self, step: int, numbers: Mapping[str, float]) -> str | None:
        for tag, measured in numbers.items():
            if tag.startswith("metrics/memorised"):
                said = f"{percent(measured)} of generated samples are copies of training samples"
                return Certain(said if measured > COPIED else "")
        share = numbers.get("health/copied")
        if share is None:
            return None
        said = f"{percent(share)} of generated samples lie nearer to a training sample than half of what parts these"
        return said if share > COPIED else ""

    def advice(self) -> str:
        return f"train on more samples, or augment what D sees: {self.facts.with_tricks(self.facts.against_memory)}"


class DiscriminatorMemorises(Lasting):
    """D knows its training samples by heart: it takes real ones that it never saw for generated ones.

    r_v = (E D(train) - E D(held out)) / (E D(train) - E D(generated)) (Karras et al. 2020, equation 1). It alone is no
    alarm: small data gives 0.4 to 0.7 in runs whose samples are good, and pure noise where D tells nothing apart.
    """

    name, title = "discriminator_memorises", "the discriminator knows its samples by heart"
    patience, warm_up = 2, 0.1

    def look(self, step: int, numbers: Mapping[str, float]) -> str | None:
        overfitting = numbers.get("health/overfitting")
        if overfitting is None:
            return None
        accuracy = max((v for tag, v in self.latest.items() if tag.startswith("accuracy/")), default=0.0)
        if overfitting < OVERFIT or accuracy < TELLS_APART:
            return ""
        return (
            f"it puts held-out real samples {percent(min(overfitting, 9.99))} of the way from training samples to "
            "generated ones"
        )

    def advice(self) -> str:
        signs = self.facts.kind == "probability" and self.facts.pictures  # what ada reads
        trick = "ada" if signs else self.facts.against_memory
        return f"augment what it sees: {self.facts.with_tricks(trick)}"


class SpectrumOff(Lasting):
    """Generated pictures have far more or less power in high frequencies than real ones (Durall et al. 2020)."""

    name, title = "spectrum_off", "fine detail is off"
    patience, warm_up = 1, 0.4

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts)
        self._looks: deque[float] = deque(maxlen=LOOKS)
        self._blurred = False

    def look(self, step: int, numbers: Mapping[str, float]) -> str | None:
        offset = numbers.get("health/spectrum")
        if offset is None or step == 0:
            return None
        self._looks.append(abs(offset))
        on_its_way = len(self._looks) < LOOKS or abs(offset) < 0.9 * self._looks[0]
        if abs(offset) < DECIBELS or on_its_way:
            return ""
        self._blurred = offset < 0
        kind = "more: noise or a pattern of pixels" if offset > 0 else "less: they are blurred"
        return f"the upper third of frequencies has {abs(offset):.0f} dB {kind}"

    def advice(self) -> str:
        if self._blurred:
            return self.sharper()
        if self.facts.upsample == "nearest":
            return "another way to upsample: model.generator.upsample=pixelshuffle"
        if "upsample" in self.facts.settings:
            return "upsample by interpolation: model.generator.upsample=nearest"
        if self.facts.convolves:
            return LONGER + self.facts.longer()
        return "take a generator of convolutions: networks=dcgan"

    def sharper(self) -> str:
        """Against blur: a penalty that keeps D from seeing detail weighs less, or the run is longer."""
        for name in self.facts.penalties:
            if name == "r1" and name in self.facts.weights:
                return f"let D see finer detail: {self.facts.lighter(name)}"
        return LONGER + self.facts.longer()
