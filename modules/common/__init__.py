"""What the modules share: the contract with the router, read and kept."""

from modules.common.contract import ModuleError, Work, run

__all__ = ["ModuleError", "Work", "run"]
