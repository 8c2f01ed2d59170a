"""Serve the page on this machine, and to nobody else."""

import socket

from autotag.browse.app import App
from autotag.browse.songs import Songs
from autotag.errors import PortInUse
from autotag.library.database import Library

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server  # isort: skip


class Quiet(WSGIRequestHandler):
    """Says nothing of each request, whose address holds the token."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


def server(library: Library, port: int = 0) -> tuple[BaseWSGIServer, str]:
    """A server whose `serve_forever` answers, each request in a thread, and the address of the page.

    Args:
        port: to listen on; 0 for a free one.

    Raises:
        PortInUse: another program listens there, or this user may not.
    """
    listener = socket.socket()
    with listener:
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", port))
            listener.listen(64)
        except OSError as error:
            raise PortInUse(
                f"Port {port} of this machine cannot be used: {error.strerror}. Name another one with "
                "--port, or leave it out for a free one."
            ) from error
        port = listener.getsockname()[1]
        app = App(Songs(library), port)
        return make_server(
            "127.0.0.1", port, app, threaded=True, request_handler=Quiet, fd=listener.fileno()
        ), app.address
