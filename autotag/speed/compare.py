"""One song through every model: what each says, what that costs, and which one to take."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from autotag.batch import Asked
from autotag.models.registry import Entry
from autotag.result import Result
from autotag.speed.measure import Cost, measure
from autotag.system.cores import usable_cores

MARGIN = 0.005
"""ROC AUC that is not worth waiting for."""

TOP = 5
"""Tags that agreement is about, as in the models' scores."""


@dataclass(frozen=True, slots=True)
class Row:
    """A model beside others.

    Attributes:
        result: what it says of the song.
        cost: what that took.
        agreement: which share of its five best tags are those of the model that computes most.
        marks: `"fastest"`, `"best"` for the highest ROC AUC, and `"sensible"` for the fastest of those whose
            ROC AUC is within `MARGIN` of the best.
    """

    result: Result
    cost: Cost
    agreement: float
    marks: tuple[str, ...]


def compare(song: Path, entries: Iterable[Entry], asked: Asked) -> list[Row]:
    """Tag a song with every model, those that compute most first.

    Args:
        asked: which tags to show of what; its model is not asked.

    Raises:
        AudioError: the song cannot be tagged.
        ModelError: a model cannot be loaded.
    """
    costs = measure([song], entries, 1, [usable_cores()], seconds=asked.seconds)
    costs.sort(key=lambda cost: -cost.gmac)
    largest = _best_tags(costs[0])
    marks = _marks(costs)
    return [
        Row(
            cost.scores[0].result(
                song, cost.entry.metadata, asked.top, asked.threshold, asked.merge_synonyms
            ),
            cost,
            len(_best_tags(cost) & largest) / TOP,
            tuple(mark for mark, marked in marks.items() if marked is cost),
        )
        for cost in costs
    ]


def _best_tags(cost: Cost) -> set[str]:
    mean = cost.scores[0].scores.mean(axis=0)
    return {cost.entry.metadata.tags[place] for place in mean.argsort()[-TOP:]}


def _marks(costs: Sequence[Cost]) -> dict[str, Cost]:
    fastest = min(costs, key=lambda cost: cost.ms("mel", "model"))
    best = max(costs, key=lambda cost: cost.entry.metadata.roc_auc or 0)
    limit = (best.entry.metadata.roc_auc or 0) - MARGIN
    good = [cost for cost in costs if (cost.entry.metadata.roc_auc or 0) >= limit]
    sensible = min(good, key=lambda cost: cost.ms("mel", "model"))
    return {"fastest": fastest, "best": best, "sensible": sensible}


def write_comparison(rows: Sequence[Row], stream: TextIO) -> None:
    """For people: a table with a line a model."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from autotag.outputs.stream import WIDE
    from autotag.system.text import printable

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("model", no_wrap=True)
    for heading in ("agrees", "mel ms", "model ms", "total ms", "x real time", "GMAC", "MB", "kB", "ROC AUC"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("tags", no_wrap=True)
    for row in rows:
        cost, metadata = row.cost, row.cost.entry.metadata
        (total,) = cost.ms()
        table.add_row(
            *(cost.name, f"{row.agreement:.0%}", f"{cost.ms('mel')[0]:.1f}", f"{cost.ms('model')[0]:.1f}"),
            *(f"{total:.0f}", f"{1000 * cost.seconds / total:.0f}", f"{cost.gmac:.2f}"),
            *(f"{cost.entry.bytes / 1e6:.1f}", f"{cost.spectrogram / 1e3:.0f}"),
            "" if metadata.roc_auc is None else f"{metadata.roc_auc:.4f}",
            ", ".join(row.marks),
            Text(", ".join(f"{tag} {score:.2f}" for tag, score in row.result.tags) or "no tag"),
        )
    console = Console(file=stream, width=WIDE, soft_wrap=True, highlight=False)
    first = rows[0]
    heard = f"  {first.cost.seconds:.1f} s"
    console.print(Text(printable(first.result.path), "bold").append(heard, "not bold dim"))
    console.print(table)
    console.print(
        f"agrees: the share of the {TOP} best tags that {first.cost.name} has among its {TOP} best too. "
        f"total: with {first.cost.ms('decode')[0]:.0f} ms for decoding. kB: of a segment's spectrogram. "
        f"sensible: the fastest within {MARGIN} ROC AUC of the best."
    )
