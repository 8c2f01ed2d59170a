"""Where progress and warnings go, so that results alone are on stdout."""

from rich.console import Console

stderr = Console(stderr=True)
