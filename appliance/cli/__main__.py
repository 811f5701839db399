"""``python -m appliance.cli``: the `mercure` command where it is not installed."""

from appliance.cli import main

if __name__ == "__main__":
    main()
