"""`autotag` and `python -m autotag`."""

import os
import sys

TYPE_CHECKING = False  # as in typing, whose import takes longer than all else that is imported here
if TYPE_CHECKING:
    from typing import Any, NoReturn


def main() -> None:
    """Run the command line; an interrupt is one line and exit code 130, during its imports too."""
    interrupted = False

    def interrupt(*_: object) -> None:
        nonlocal interrupted
        interrupted = True
        raise KeyboardInterrupt

    try:
        import signal

        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a shell may have it ignored
            signal.signal(signal.SIGINT, interrupt)
        sys.unraisablehook = _unraisable
        from autotag.cli.main import main as run

        run()
    except SystemExit:
        raise
    except BaseException as error:
        # A library that is interrupted while it is imported may raise something else.
        if not interrupted and not isinstance(error, KeyboardInterrupt):
            raise
        _end()


def _unraisable(what: "Any") -> None:
    """An interrupt that came where Python can raise nothing, and would go on."""
    if issubclass(what.exc_type, KeyboardInterrupt):
        _end()
    sys.__unraisablehook__(what)


def _end() -> "NoReturn":
    try:
        print("interrupted", file=sys.stderr, flush=True)
    finally:
        os._exit(130)


if __name__ == "__main__":
    main()
