"""Lazy imports: put off until they are needed, one thread at a time."""

from __future__ import annotations

import threading
from typing import Final

IMPORTING: Final = threading.RLock()
"""Held while pydicom, pynetdicom or what imports them is imported inside a function.

Their modules import each other in circles. Two threads that begin at the same moment wait for each other's modules;
Python then gives one of them a module that is half there, and it fails with ImportError.
"""
