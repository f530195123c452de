"""Measures of what case management achieves: O-01 to O-09 (docs/measures.md)."""

from adapter.casework.measures.counting import Period, Unit
from adapter.casework.measures.definitions import definition, definitions
from adapter.casework.measures.evaluation import BY, Report, evaluate

__all__ = ["BY", "Period", "Report", "Unit", "definition", "definitions", "evaluate"]
