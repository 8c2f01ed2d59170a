"""What the field AUTOTAG_BEFORE holds: all that is needed to take back what autotag wrote into a file.

Anybody can have written it, so nothing of it is used that autotag would not have written.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from autotag.outputs.containers import AUTOTAG, FIELDS, MOST_ITEMS, SHARED, Removed, TagContainer, Values
from autotag.system.files import LATEST, same_time

MOST = 1 << 16
"""Characters of the field: more was not written by autotag."""

MOST_STATES = 10
"""States of a file between which autotag alone changed it; of more, the first and the last are kept."""


class FileState(NamedTuple):
    """Bytes of a file, and when it was modified, in nanoseconds since 1970."""

    size: int
    modified: int

    @classmethod
    def at(cls, size: int, time: int) -> "FileState":
        """The state of a file at some time; one beyond what 64 bits hold is the latest that they do."""
        return cls(size, max(-LATEST, min(time, LATEST)))

    def is_now(self, now: "FileState") -> bool:
        """Whether a file is as it was, as far as the times of its file system can say."""
        return self.size == now.size and same_time(self.modified, now.modified)


class Was(NamedTuple):
    """What a field held: its values, and its items with their places."""

    values: Values
    items: Removed


@dataclass(frozen=True, slots=True)
class Before:
    """The state before autotag wrote.

    Attributes:
        format: of the items.
        made: what autotag had to make for its tags; empty if there was a place for them.
        was: what fields held that autotag has set.
        wrote: what autotag wrote into `SHARED` fields, to tell it from what a person did.
        states: size and time of the file before autotag wrote, and after each time that it did.
    """

    format: str
    made: str = field(compare=False)
    was: dict[str, Was]
    wrote: dict[str, Values]
    states: tuple[FileState, ...] = field(default=(), compare=False)

    def text(self) -> str:
        """The value of the field."""
        was = {
            name: {
                "values": was.values,
                "items": [[at, base64.b64encode(item).decode()] for at, item in was.items],
            }
            for name, was in self.was.items()
        }
        states = [list(state) for state in (*self.states[:1], *self.states[1:][-MOST_STATES + 1 :])]
        return json.dumps(
            {
                "version": 2,
                "format": self.format,
                "made": self.made,
                "was": was,
                "wrote": self.wrote,
                "states": states,
            }
        )

    def take_back(self, container: TagContainer) -> None:
        """Give the fields what they held, but for what a person has edited since."""
        ours = [name for name in self.was if name == AUTOTAG or container.get(name) == self.wrote.get(name)]
        container.take(*ours)
        if self.format == container.format:
            container.restore([item for name in ours for item in self.was[name].items])
        else:  # another program has written the tags in another format since
            for name in ours:
                if self.was[name].values:
                    container.put(name, self.was[name].values)
        if self.made:
            container.drop(self.made)


def parse(text: str, container: TagContainer) -> Before:
    """What a field says, if autotag could have written it.

    Raises:
        ValueError: it could not.
    """
    if len(text) > MOST:
        raise ValueError("too long")
    try:
        found = json.loads(text)
    except RecursionError as error:
        raise ValueError("too deep") from error
    _require(isinstance(found, dict))
    if "version" not in found:
        return _version_1(found)
    _require(found["version"] == 2 and found.keys() == _KEYS)
    _require(all(isinstance(found[name], str) and len(found[name]) < 40 for name in ("format", "made")))
    was = {}
    for name, value in _fields(found["was"], FIELDS).items():
        _require(isinstance(value, dict) and value.keys() == {"values", "items"})
        items = [(at, base64.b64decode(item, validate=True)) for at, item in value["items"]]
        _require(all(type(at) is int and 0 <= at < MOST_ITEMS for at, _ in items))
        if found["format"] == container.format:
            _require(all(container.is_item(item) and container.field(item) == name for _, item in items))
        was[name] = Was(_texts(value["values"]), items)
    wrote = {name: _texts(value) for name, value in _fields(found["wrote"], SHARED).items()}
    states = tuple(FileState(*pair) for pair in found["states"])
    _require(len(states) <= MOST_STATES and all(_is_state(state) for state in states))
    return Before(found["format"], found["made"], was, wrote, states)


_KEYS = {"version", "format", "made", "was", "wrote", "states"}


def _version_1(found: Mapping[str, Any]) -> Before:
    """What the first version wrote: values without their bytes."""
    _require(found.keys() == {"existed", "was", "wrote"} and type(found["existed"]) is bool)
    was = {name: Was(_texts(value), []) for name, value in _fields(found["was"], FIELDS).items()}
    wrote = {name: _texts(value) for name, value in _fields(found["wrote"], SHARED).items()}
    return Before("", "" if found["existed"] else "anything", was, wrote)


def _fields(found: Any, known: Sequence[str]) -> dict[str, Any]:
    _require(isinstance(found, dict) and all(name in known for name in found))
    return dict(found)


def _texts(found: Any) -> Values:
    _require(isinstance(found, list) and all(isinstance(text, str) for text in found))
    return tuple(found)


def _is_state(state: FileState) -> bool:
    return all(type(number) is int and abs(number) < 1 << 63 for number in state) and state.size >= 0


def _require(true: bool) -> None:
    if not true:
        raise ValueError("not what autotag writes")
