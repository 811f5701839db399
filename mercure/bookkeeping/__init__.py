"""The old name of `mercure.history`, for scripts that import what stands here."""
