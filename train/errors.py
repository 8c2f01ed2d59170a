"""What can go wrong on the way to a model."""

from autotag.errors import AutotagError


class DataError(AutotagError, ValueError):
    """A data set is missing or not laid out as it should be."""


class RunError(AutotagError, RuntimeError):
    """A training run cannot be continued, evaluated or exported."""


class RunsFailed(RunError):
    """Some runs of many failed, the others are complete."""


class RunBusy(RunError):
    """Another process is at this training run."""
