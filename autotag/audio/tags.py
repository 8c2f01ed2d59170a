"""Tags around the sound of a file: how far they reach."""

from autotag.audio.content import Content
from autotag.audio.mpeg import id3_length
from autotag.errors import NotAudio

MOST = 1000
"""ID3 tags in a row that are still believed to be tags."""

ZEROS = 1 << 24
"""Bytes of zeros that may stand behind a tag, as room for a longer one."""


def sound(content: Content) -> tuple[int, bytes]:
    """Where the sound begins, after ID3 tags and zeros behind them, and the first 4 KiB of it.

    Raises:
        NotAudio: nothing but tags.
    """
    at = count = zeros = 0
    while True:
        head = content.read(at, 4096)
        here = 0
        while (length := id3_length(head[here : here + 10])) and count < MOST:
            count += 1
            here += length
        if count == MOST:
            raise NotAudio(f"{content.name}: begins with {MOST} ID3 tags or more: remove the tags")
        if here and at + here > content.size:  # its length is damaged: the sound is somewhere behind
            return at + 10, content.read(at + 10, 4096)
        if here:
            at += here
        elif count and head[:1] == b"\0" and zeros < ZEROS:
            length = len(head) - len(head.lstrip(b"\0"))
            at, zeros = at + length, zeros + length
        else:
            return at, head
