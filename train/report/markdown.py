"""Tables in Markdown, line by line."""

from collections.abc import Iterator


def heading(*columns: str) -> Iterator[str]:
    """The two lines that a table begins with."""
    yield row(*columns)
    yield "|" + "---|" * len(columns)


def row(*cells: object) -> str:
    """A line of a table."""
    return "| " + " | ".join(str(cell) for cell in cells) + " |"
