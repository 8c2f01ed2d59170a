"""`autotag` and `python -m autotag`."""

import os


def main() -> None:
    """Run the command line; an interrupt is one line and exit code 130, during its imports too."""
    try:
        from autotag.cli.main import main as run

        run()
    except KeyboardInterrupt:
        os.write(2, b"interrupted\n")
        os._exit(130)


if __name__ == "__main__":
    main()
