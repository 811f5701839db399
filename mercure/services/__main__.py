"""``python -m mercure.services NAME --root DIR``: run one service in the foreground."""

from mercure.services import main

if __name__ == "__main__":
    main()
