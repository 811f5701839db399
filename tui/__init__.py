"""The terminal UI: presentation only, a client of the control API."""


def main() -> None:
    """Run the terminal UI."""
    from tui.start import start  # noqa: PLC0415 - importing the package costs nothing

    start()
