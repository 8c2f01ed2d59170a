"""The page as HTML: with a first part of the list as data for its script, and as a table without one."""

from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import urlencode

from autotag.browse.asked import SORTS, Asked
from autotag.browse.songs import Songs
from autotag.errors import AutotagError
from autotag.system.text import as_json, counted, printable
from autotag.views.taggram import clock

HERE = Path(__file__).parent

FIRST = 50
"""Songs that stand in the page."""

POLICY = "; ".join(
    (
        "default-src 'none'",
        *(f"{what}-src 'self'" for what in ("script", "style", "connect", "media")),
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    )
)
"""A browser then loads nothing from elsewhere, runs no script in a text, and shows it in no other page."""

SCRIPTS = ("list.js", "parts.js", "served.js", "page.js")

RESOURCES = {
    name: ((HERE / name).read_bytes(), "text/css" if name.endswith(".css") else "text/javascript")
    for name in ("page.css", *SCRIPTS)
}
"""What the page loads: content and kind of each file."""


def served(songs: Songs, values: Mapping[str, str]) -> str:
    """The page of a server, with the first songs that its form asks for.

    Args:
        values: of the form.
    """
    asked, problem = Asked(), ""
    first = max(0, int(values["first"])) if values.get("first", "").isdecimal() else 0
    rows: list[dict[str, Any]] = []
    notes: tuple[str, ...] = ()
    total = 0
    try:
        asked = Asked.of(values)
        found = songs.find(asked)
        part = slice(first, first + FIRST)
        rows = songs.rows(found.ids[part].tolist(), found.scores[part].tolist())
        total, notes = len(found.ids), found.notes
    except AutotagError as error:
        problem = printable(str(error))
    fields = {name: value for name, value in values.items() if name in Asked.__slots__}
    status = ". ".join([problem or counted(total, "song", "songs"), *notes])
    return filled(
        asked,
        title="autotag",
        policy="",
        kind="",
        save=escape(f"playlist.m3u8?{_query(fields)}"),
        status=status,
        style='<link rel="stylesheet" href="page.css">',
        script="\n".join(f'<script src="{name}" defer></script>' for name in SCRIPTS),
        first=in_script(
            {"total": total, "rows": rows if first == 0 else [], "notes": [problem, *notes][not problem :]}
        ),
        table=table(rows, linked=True) + _pages(fields, first, total),
    )


def filled(asked: Asked, **parts: str) -> str:
    """The page of a form, and pieces of HTML."""
    sorts = "".join(
        f'<option value="{name}"{" selected" * (name == asked.sort)}>{label}</option>'
        for name, label in SORTS.items()
    )
    fields = {
        name: escape(printable(str(getattr(asked, name)))) for name in ("words", "folder", "least", "most")
    }
    parts["title"] = escape(printable(parts["title"]))
    parts["status"] = escape(parts["status"])
    template = Template((HERE / "page.html").read_text("utf-8"))
    return template.substitute(fields, sorts=sorts, minimum=f"{asked.minimum:.2f}", **parts)


def in_script(values: Any) -> str:
    """JSON that cannot end the script element that it stands in."""
    return as_json(values).replace("<", "\\u003c")


def table(rows: Iterable[Mapping[str, Any]], linked: bool = False) -> str:
    """The rows as a table, with links to the sounds where these are served."""
    lines = "".join(
        f"<tr><td>{_name(row, linked)}<br><small>{escape(row['folder'])}</small></td>"
        f"<td>{escape(', '.join(f'{tag} {score:.2f}' for tag, score in row['tags']))}</td>"
        f"<td>{clock(row['seconds'])}</td></tr>\n"
        for row in rows
    )
    return f"<table><thead><tr><th>Song<th>Tags<th>Length</tr></thead>\n<tbody>{lines}</tbody></table>"


def _name(row: Mapping[str, Any], linked: bool) -> str:
    name = escape(row["name"])
    return f'<a href="sound?id={row["id"]}">{name}</a>' if linked else name


def _query(values: Mapping[str, Any]) -> str:
    return urlencode(values, errors="replace")


def _pages(fields: Mapping[str, str], first: int, total: int) -> str:
    """Links to the songs before and after those that are shown."""
    links = [("Before", first - FIRST), ("Next", first + FIRST)]
    shown = [
        f'<a href="?{escape(_query({**fields, "first": max(0, to)}))}">{name}</a>'
        for name, to in links
        if -FIRST < to < total and to != first
    ]
    return f"<nav>{' · '.join(shown)}</nav>"
