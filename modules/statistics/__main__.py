"""``python -m modules.statistics``: what the router runs."""

from modules.common import run
from modules.statistics.report import report

if __name__ == "__main__":
    run("statistics", report)
