"""What is served to a browser: the page, what it asks of the library, and the library's songs.

Nobody else on the machine or in the browser may have it. An address begins with a token that cannot be
guessed. A request must name this machine as its host, or a foreign name was bound to its address; it must not
come from another page. No path of a file is ever read from a request, only the number of a track.
"""

import mimetypes
import os
import secrets
import stat
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from autotag.audio.decode import Audio
from autotag.audio.encode import PLAYER_RATE, mp3
from autotag.browse.asked import Asked
from autotag.browse.page import FIRST, POLICY, RESOURCES, served
from autotag.browse.rescan import Rescan
from autotag.browse.songs import Songs
from autotag.errors import AutotagError, ExtraMissing
from autotag.library.alike import similar
from autotag.library.tags import Vocabulary
from autotag.meaning import meaning_of
from autotag.outputs.playlist import m3u
from autotag.system.text import as_json, printable

try:
    from werkzeug.exceptions import HTTPException
    from werkzeug.utils import send_file
    from werkzeug.wrappers import Request, Response
except ImportError as error:
    raise ExtraMissing("browse needs the package werkzeug: pip install werkzeug") from error

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

MOST = 500
"""Rows that are asked for at once."""

ALIKE = 50
"""Similar songs that are listed."""

LONGEST = 10_000
"""Bytes of what is sent to be kept."""

HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


class Refused(Exception):
    """A request that is not answered: its status, and why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class App:
    """A WSGI application.

    Args:
        songs: of the library.
        port: of this machine on which it is asked.

    Attributes:
        address: of the page, with its token.
    """

    def __init__(self, songs: Songs, port: int) -> None:
        self._songs = songs
        self._rescan = Rescan(songs)
        self._hosts = {f"{name}:{port}" for name in ("127.0.0.1", "localhost")}
        self._token = secrets.token_urlsafe(24)
        self.address = f"http://127.0.0.1:{port}/{self._token}/"
        self._answers: dict[tuple[str, str], Callable[[Request], Response]] = {
            ("GET", ""): self._page,
            ("GET", "rows"): self._rows,
            ("GET", "tags"): self._tags,
            ("GET", "song"): lambda request: _json(self._song(self._track(request.args))),
            ("GET", "similar"): self._similar,
            ("GET", "sound"): self._sound,
            ("GET", "sound.mp3"): self._converted,
            ("GET", "playlist.m3u8"): self._playlist,
            ("GET", "rescan"): lambda _: _json(self._rescan.state()),
            ("POST", "rescan"): self._start_rescan,
            ("POST", "correct"): self._correct,
        }

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        request = Request(environ)
        request.max_content_length = LONGEST
        try:
            response = self._answer(request)
        except Refused as refusal:
            response = _json({"error": str(refusal)}, refusal.status)
        except AutotagError as error:
            response = _json({"error": printable(str(error))}, HTTPStatus.BAD_REQUEST)
        except OSError as error:  # the disk of the library is full or broken
            response = _json({"error": printable(str(error))}, HTTPStatus.INTERNAL_SERVER_ERROR)
        except HTTPException as error:  # of what is no proper request or range
            response = _json({"error": error.description}, error.code or HTTPStatus.BAD_REQUEST)
        response.headers.update(HEADERS)
        return response(environ, start_response)

    def _answer(self, request: Request) -> Response:
        self._check(request)
        _, token, *names = request.path.split("/", 2)
        if not secrets.compare_digest(token.encode(), self._token.encode()) or not names:
            raise Refused(
                HTTPStatus.NOT_FOUND, "There is nothing here. Open the address that autotag prints."
            )
        if request.method == "GET" and names[0] in RESOURCES:
            content, kind = RESOURCES[names[0]]
            return Response(content, mimetype=kind)
        answer = self._answers.get((request.method, names[0]))
        if answer is None:
            raise Refused(HTTPStatus.NOT_FOUND, "There is nothing of that name.")
        return answer(request)

    def _check(self, request: Request) -> None:
        headers = request.headers
        if headers.get("Host") not in self._hosts:
            raise Refused(HTTPStatus.FORBIDDEN, "This machine is not called so.")
        origin = headers.get("Origin")
        if origin is not None and origin.removeprefix("http://") not in self._hosts:
            raise Refused(HTTPStatus.FORBIDDEN, "Another page may not ask.")
        if headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
            why = "Another page may not ask, nor lead here. Copy the address into the browser."
            raise Refused(HTTPStatus.FORBIDDEN, why)

    def _page(self, request: Request) -> Response:
        return Response(served(self._songs, request.args), mimetype="text/html")

    def _rows(self, request: Request) -> Response:
        found = self._songs.find(Asked.of(request.args))
        first, count = _number(request.args, "first", 0), min(MOST, _number(request.args, "count", FIRST))
        part = slice(first, first + count)
        rows = self._songs.rows(found.ids[part].tolist(), found.scores[part].tolist())
        return _json({"total": len(found.ids), "rows": rows, "notes": found.notes})

    def _tags(self, _: Request) -> Response:
        """Which tags there are, of which kind, and how many songs have them."""
        return _json(self._songs.counts())

    def _song(self, track: int) -> dict[str, Any]:
        path = self._path(track)
        tags = [
            {"tag": tag, "score": round(score, 3), "kind": meaning_of(tag).kind}
            for tag, score in self._songs.tags([track])[track]
        ]
        said = self._songs.library.corrections(path)
        gone = not Path(path).is_file()
        folder = self._rescan.folder(path) if gone else None
        return {
            "id": track,
            "name": printable(PurePath(path).name),
            "path": printable(path),
            "tags": tags,
            "said": said,
            "gone": gone,
            "rescan": None if folder is None else printable(str(folder)),
        }

    def _similar(self, request: Request) -> Response:
        track = self._track(request.args)
        found = similar(self._songs.library, self._path(track), limit=ALIKE)
        scores = {each.path: each.score for each in found}
        ids = self._songs.ids(scores)
        rows = self._songs.rows(ids.values(), (scores[path] for path in ids))
        return _json({"total": len(rows), "rows": rows, "notes": []})

    def _sound(self, request: Request) -> Response:
        path = self._path(self._track(request.args))
        try:
            state = os.stat(path)  # noqa: PTH116
            if not stat.S_ISREG(state.st_mode):  # a pipe would never end
                raise FileNotFoundError
            kind = mimetypes.guess_type(printable(path))[0] or ""
            kind = kind if kind.startswith(("audio/", "video/")) else "application/octet-stream"
            etag = f"{state.st_mtime_ns}-{state.st_size}"
            return send_file(path, request.environ, kind, download_name="song", etag=etag)
        except OSError as error:
            raise Refused(
                HTTPStatus.GONE, f"{printable(path)}: it is not there, or cannot be read."
            ) from error

    def _converted(self, request: Request) -> Response:
        """A sound as an MP3 of one channel, for browsers that cannot play the file."""
        sound = Audio(Path(self._path(self._track(request.args))), PLAYER_RATE)
        return Response(mp3(sound, PLAYER_RATE), mimetype="audio/mpeg")

    def _playlist(self, request: Request) -> Response:
        held = self._songs.held
        places, _ = held.places(self._songs.find(Asked.of(request.args)).ids)
        text, left_out = m3u((held.paths[n], float(held.durations[n])) for n in places.tolist())
        response = Response(text, mimetype="audio/x-mpegurl")
        response.headers["Content-Disposition"] = "attachment; filename=autotag.m3u8"
        response.headers["X-Left-Out"] = str(len(left_out))
        return response

    def _correct(self, request: Request) -> Response:
        values = _object(request)
        has = values.get("has")
        if has not in (True, False, None):
            raise Refused(HTTPStatus.BAD_REQUEST, "has is true, false or null.")
        track = self._track(values)
        tag = Vocabulary(self._songs.library).name(str(values.get("tag", "")))
        self._songs.library.correct(self._path(track), tag, has)
        self._songs.forget()
        return _json(self._song(track))

    def _start_rescan(self, request: Request) -> Response:
        self._rescan.start(self._path(self._track(_object(request))))
        return _json(self._rescan.state())

    def _track(self, values: Mapping[str, Any]) -> int:
        return _number(values, "id", -1)

    def _path(self, track: int) -> str:
        path = self._songs.held.path(track)
        if path is None:
            raise Refused(HTTPStatus.NOT_FOUND, "The library has no such song any more.")
        return path


def _number(values: Mapping[str, Any], name: str, default: int) -> int:
    try:
        number = int(values.get(name, default))
    except (TypeError, ValueError):
        number = -1
    if not 0 <= number < 1 << 62:
        raise Refused(HTTPStatus.BAD_REQUEST, f"{name} is not a number.")
    return number


def _object(request: Request) -> dict[str, Any]:
    values = request.get_json()
    if not isinstance(values, dict):
        raise Refused(HTTPStatus.BAD_REQUEST, "Send an object.")
    return values


def _json(values: Any, status: int = HTTPStatus.OK) -> Response:
    return Response(as_json(values), status, mimetype="application/json")
