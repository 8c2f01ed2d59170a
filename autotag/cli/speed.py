"""The commands about speed: `autotag bench` and `autotag choose`."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autotag.cli import options
from autotag.errors import AudioError
from autotag.models.registry import select

if TYPE_CHECKING:
    from autotag.speed.measure import Cost, Spread, Start


def _counts(text: str) -> list[int]:
    parts = text.split(",")
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise typer.BadParameter(f"{text!r}: use numbers from 1, such as 1 or 1,2")
    return list(map(int, parts))


Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def bench(
    songs: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[SONG...]", readable=False, help="By default a made clip of 29.1 s, as MP3."),
    ] = None,
    models: options.Models = None,
    threads: Annotated[
        Any, typer.Option(parser=_counts, metavar="N,...", help="Threads of one inference.")
    ] = "1",
    batch: Annotated[
        Any,
        typer.Option(
            parser=_counts, metavar="N,...", help="Segments of one inference.", show_default="those of 30 s"
        ),
    ] = None,
    device: Annotated[
        str, typer.Option(help="cpu, cuda, coreml, directml or openvino, as onnxruntime has it.")
    ] = "cpu",
    seconds: options.Seconds = None,
    rounds: Annotated[int, typer.Option(min=1, help="How often each model is timed.")] = 15,
    json_: Json = False,
    plot: Annotated[
        Any,
        typer.Option(parser=options.output(".svg", ".png"), metavar="FILE", help="Draw it, as .svg or .png."),
    ] = None,
) -> None:
    """Time decoding, mel-spectrogram and network of every model, in turns, and a cold start of each."""
    if plot:
        from autotag.speed.plot import draw  # fails before the work does
    import tempfile

    from autotag.speed.measure import baseline, clip, cold, measure

    entries = select(models)
    with tempfile.TemporaryDirectory() as folder:
        heard = songs or [clip(Path(folder))]
        try:
            costs = measure(heard, entries, rounds, threads, batch or [None], device, seconds)
        except AudioError as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(1) from error
        starts = cold(heard[0], [entry.metadata.name for entry in entries], min(3, rounds))
    costs.sort(key=lambda cost: (-cost.entry.metadata.gmac, cost.name, cost.threads))
    base = baseline(costs)
    if json_:
        typer.echo(json.dumps(_as_dict(costs, base, starts, rounds, device), indent=1))
    else:
        _show(costs, base, starts, rounds)
    if plot:
        draw(costs, plot)


def _as_dict(
    costs: "list[Cost]", base: "Cost", starts: "dict[str, list[Start]]", rounds: int, device: str
) -> dict[str, Any]:
    from autotag.speed.measure import IMPORTS, overhead, ratio, spread
    from autotag.system import machine

    def cold(name: str) -> dict[str, Any]:
        memory = [start.memory for start in starts[name] if start.memory]
        seconds = spread([start.seconds for start in starts[name]])
        return {"seconds": seconds._asdict(), "peak_bytes": max(memory, default=None)}

    rows = [
        {
            "model": cost.name,
            "threads": cost.threads,
            "batch": cost.batch,
            "ms": {step: spread(cost.ms(step))._asdict() for step in ("decode", "mel", "model")}
            | {"total": spread(cost.ms())._asdict()},
            "load_ms": cost.load,
            "relative_to_baseline": ratio(cost, base, "mel", "model")._asdict(),
            "relative_to_decoding": spread(overhead(cost))._asdict(),
            "gmac": cost.gmac,
            "gmac_per_second": 1000 * cost.gmac / spread(cost.ms("model")).median,
            "spectrogram_bytes": cost.spectrogram,
            "bytes": cost.entry.bytes,
            "roc_auc": cost.entry.metadata.roc_auc,
            "cold": cold(cost.name),
        }
        for cost in costs
    ]
    return {
        "machine": machine.describe(),
        "device": device,
        "seconds_of_audio": costs[0].seconds,
        "rounds": rounds,
        "baseline": base.name,
        "imports": {"command": f"python -c '{IMPORTS}'", **cold(IMPORTS)},
        "models": rows,
    }


def _show(costs: "list[Cost]", base: "Cost", starts: "dict[str, list[Start]]", rounds: int) -> None:
    from rich.console import Console
    from rich.table import Table

    from autotag.outputs.stream import WIDE
    from autotag.speed.measure import IMPORTS, overhead, ratio, spread
    from autotag.system import machine

    def cold(name: str) -> tuple[str, str]:
        memory = max((start.memory or 0 for start in starts[name]), default=0)
        seconds = spread([start.seconds for start in starts[name]]).median
        return f"{seconds:.2f}", f"{memory / 1e6:.0f}" if memory else ""

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("model", no_wrap=True)
    headings = ("threads", "batch", "decode ms", "mel ms", "model ms", "total ms", "/ baseline", "/ decoding")
    for heading in (*headings, "GMAC/s", "load ms", "cold s", "peak MB", "ROC AUC"):
        table.add_column(heading, justify="right", no_wrap=True)
    for cost in costs:
        auc = cost.entry.metadata.roc_auc
        model, total = spread(cost.ms("model")), spread(cost.ms())
        table.add_row(
            *(cost.name, str(cost.threads), str(cost.batch or "30 s")),
            *(f"{spread(cost.ms(step)).median:.1f}" for step in ("decode", "mel")),
            *(_around(model, 1), _around(total, 0), _around(ratio(cost, base, "mel", "model"), 3)),
            f"{spread(overhead(cost)).median:.2f}",
            *(f"{1000 * cost.gmac / model.median:.0f}", f"{cost.load:.0f}", *cold(cost.name)),
            "" if auc is None else f"{auc:.4f}",
        )
    console = Console(width=WIDE, soft_wrap=True, highlight=False)
    console.print(table)
    seconds, memory = cold(IMPORTS)
    console.print(
        f"For {costs[0].seconds:.1f} s of audio: medians of {rounds} rounds, ± half the distance of the "
        f"quartiles. / baseline: mel and network against {base.name}, round by round. / decoding: all of it "
        f"against decoding alone. Cold: from nothing to tags; the imports: {seconds} s, {memory} MB."
    )
    console.print(", ".join(f"{name} {value}" for name, value in machine.describe().items()))


def _around(found: "Spread", digits: int) -> str:
    return f"{found.median:.{digits}f} ±{(found.high - found.low) / 2:.{digits}f}"


def choose(
    max_ms: Annotated[
        float | None,
        typer.Option(min=0, help="Milliseconds for mel and network of 29.1 s of music, with all cores."),
    ] = None,
    max_mb: Annotated[float | None, typer.Option(min=0, help="Megabytes of the model's file.")] = None,
    min_auc: Annotated[float | None, typer.Option(min=0, max=1, help="ROC AUC.")] = None,
    tags: options.Tags = "mtat",
    models: options.Models = None,
    again: Annotated[bool, typer.Option("--again", help="Measure this machine again.")] = False,
) -> None:
    """Print the best model within a budget on this machine, and on stderr why it is."""
    from autotag.speed.choose import within

    choice = within(select(models, tags), max_ms, max_mb, min_auc, again)
    sys.stdout.write(f"{choice.entry.metadata.name}\n")
    typer.echo(choice.reason, err=True)
