"""Audio through an ffmpeg program on the PATH, which writes samples into a pipe."""

import os
import re
import struct
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Self

import numpy as np

from autotag.audio.content import View
from autotag.audio.mel import Array
from autotag.audio.sndfile import Refused, dropped, window

SEVERAL = ("mov", "matroska", "asf", "mpegts", "mpeg", "avi", "flv", "rm", "ogg")
"""Formats that may hold several tracks of sound, by ffmpeg's names."""


class Program:
    """A `Source` (see `autotag.audio.source`).

    Args:
        program: where ffmpeg is.
        demuxer: ffmpeg's name of the format.
        track: which track of sound, the first being 0.

    Attributes:
        tracks: how many tracks of sound there are.

    Raises:
        Refused: it cannot be decoded.
    """

    lossless = False  # which is not known
    left = 0  # ffmpeg reads on after damage

    def __init__(self, program: str, view: View, demuxer: str, track: int = 0) -> None:
        import subprocess  # slow to import, seldom needed
        import tempfile

        self.frames: int | None = None
        self.announced: int | None = None
        self.problem = ""
        self.warnings: list[str] = []
        self._view = view
        with ExitStack() as stack:
            self._errors = stack.enter_context(tempfile.TemporaryFile())
            name, keep = _named(view, stack)
            command = [
                *(program, "-nostdin", "-v", "error", "-f", demuxer, "-i", name),
                # Sun's AU is a short header, then samples.
                *("-map", f"0:a:{track}", "-c:a", "pcm_f32be", "-f", "au", "pipe:1"),
            ]
            try:
                self._process = subprocess.Popen(
                    command, stdout=subprocess.PIPE, stderr=self._errors, bufsize=1 << 18, pass_fds=keep
                )
            except OSError as error:
                raise Refused(f"ffmpeg cannot be started: {error.strerror}") from error
            stack.callback(self._end)
            assert self._process.stdout
            self._samples = self._process.stdout
            head = self._samples.read(24)
            if len(head) < 24:
                self._process.wait()
                view.content.check_all()  # was it the disk?
                raise Refused(self._said() or "it holds no sound")
            _, offset, _, _, self.samplerate, self.channels = struct.unpack(">4s5I", head)
            self._samples.read(offset - len(head))
            self.tracks = _tracks(program, name, keep, demuxer) if demuxer in SEVERAL else 1
            self._stack = stack.pop_all()

    def blocks(self, start: int = 0) -> Iterator[Array]:
        return dropped(self._blocks(), start)

    def _blocks(self) -> Iterator[Array]:
        frame = 4 * self.channels
        while len(data := self._samples.read(window(self.channels) * frame)) >= frame:
            whole = data[: len(data) - len(data) % frame]
            yield np.frombuffer(whole, ">f4").astype(np.float32).reshape(-1, self.channels)
        self._process.wait()
        self.problem = self._said()
        if self.problem:
            self._view.content.check_all()  # was it the disk?

    def _said(self) -> str:
        """The first line that ffmpeg wrote, "" if none."""
        self._errors.seek(0)
        line = self._errors.readline().decode("utf-8", "replace").strip()
        return re.sub(r"^\[[^]]*\] ", "", line)  # without the address of what said it

    def _end(self) -> None:
        self._process.kill()
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


def _tracks(program: str, name: str, keep: tuple[int, ...], demuxer: str) -> int:
    """How many tracks of sound there are, by what ffmpeg says where it is not asked for any output."""
    import subprocess

    run = subprocess.run(
        [program, "-nostdin", "-hide_banner", "-f", demuxer, "-i", name], capture_output=True, pass_fds=keep
    )
    return len(re.findall(rb"^ *Stream #0:\d+.*: Audio: ", run.stderr, re.M))


def _named(view: View, stack: ExitStack) -> tuple[str, tuple[int, ...]]:
    """A name of the bytes for ffmpeg, and the descriptors that it needs for that."""
    content = view.content
    if content.path is not None and sys.platform == "win32":
        name, keep = f"file:{os.path.abspath(content.path)}", ()  # noqa: PTH100
    else:
        descriptor = stack.enter_context(content.descriptor())
        name, keep = f"/dev/fd/{descriptor}", (descriptor,)
    if (view.start, view.stop) == (0, content.size):
        return name, keep
    return f"subfile,,start,{view.start},end,{view.stop},,:{name}", keep
