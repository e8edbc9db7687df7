"""``python -m ferserve`` is ``ferserve``."""

from ferserve.cli import main

if __name__ == "__main__":
    main()
