"""The targets: list, echo, probe, test send, files sent by hand, nodes that are back."""
