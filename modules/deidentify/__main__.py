"""``python -m modules.deidentify``: what the router runs."""

from modules.common import run
from modules.deidentify.work import deidentify_all

if __name__ == "__main__":
    run("deidentify", deidentify_all)
