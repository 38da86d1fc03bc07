"""Is it working, and if not, why: findings over the numbers that a run logs."""

from gantrain.health.bands import Band, band_of, expected_bands
from gantrain.health.facts import Facts, facts_of
from gantrain.health.findings import Detector, Finding, Verdict
from gantrain.health.health import Health

__all__ = ["Band", "Detector", "Facts", "Finding", "Health", "Verdict", "band_of", "expected_bands", "facts_of"]
