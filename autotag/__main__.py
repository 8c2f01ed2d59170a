"""`autotag` and `python -m autotag`."""

import os
import sys


def main() -> None:
    """Run the command line; an interrupt is one line and exit code 130, during its imports too."""
    try:
        from autotag.cli.main import main as run

        run()
    except KeyboardInterrupt:
        os.write(2, b"interrupted\n")
        sys.stdout = sys.stderr = None  # type: ignore[assignment]  # nothing more is written on the way out
        os._exit(130)


if __name__ == "__main__":
    main()
