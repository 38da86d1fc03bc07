"""report.html: what became of a run, or of a sweep, in one file that opens from disk."""

from gantrain.report.html.overview import said_of_sweep, write_comparison, write_sweep_report
from gantrain.report.html.record import Bands
from gantrain.report.html.single import write_run_report

__all__ = ["Bands", "said_of_sweep", "write_comparison", "write_run_report", "write_sweep_report"]
