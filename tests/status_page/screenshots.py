"""``make screenshots``: draw the pictures of the status page for the documentation, the same at each run."""

from __future__ import annotations

import os
import time
from pathlib import Path

from tests.status_page import scene
from tests.support.browser import SIZES, chromium
from tests.support.site import Page, served

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
SCHEMES = ("light", "dark")


def main() -> None:
    """Draw all of them."""
    os.environ["TZ"] = "UTC"
    time.tzset()
    with chromium() as browser:
        for bad, day in ((False, "good"), (True, "bad")):
            page = Page(seen=scene.seen(bad=bad))
            with served(page) as address:
                for size, (width, height) in SIZES.items():
                    for scheme in SCHEMES:
                        if bad and (size, scheme) not in {("desk", "light"), ("wall", "dark")}:
                            continue
                        context = browser.new_context(
                            viewport={"width": width, "height": height},
                            color_scheme="dark" if scheme == "dark" else "light",
                        )
                        tab = context.new_page()
                        tab.goto(address)
                        tab.screenshot(path=FOLDER / f"status-page-{day}-{size}-{scheme}.png", full_page=True)
                        if not bad and size != "wall" and scheme == "light":
                            tab.goto(f"{address}/exam?accession=A20261121077")
                            tab.screenshot(path=FOLDER / f"status-page-exam-{size}.png", full_page=True)
                        context.close()


if __name__ == "__main__":
    main()
