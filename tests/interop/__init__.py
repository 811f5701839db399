"""Senders by files, files by receivers, and some of all three together, with the peers that sites have.

What may be refused is in `refusals`, written before the rest: a cell that is neither delivered nor refused for one of
those reasons fails the run. ``make interop`` runs all and writes ``docs/interoperability.md``.
"""
