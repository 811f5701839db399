"""The `mercure` command: one file per group of verbs, each a face of `appliance.control` without logic of its own."""


def main() -> None:
    """Run the command line."""
    from appliance.cli.app import mercure  # noqa: PLC0415 - click is not needed to import this package

    mercure(prog_name="mercure")
