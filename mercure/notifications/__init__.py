"""Telling people: messages, their words, the queue on disk, and the channels by which they go out.

Nothing in the data path waits for it: whoever has something to tell puts a file into the queue, and the service
``notifier`` sends it (``docs/decisions/0105-a-notifier-of-its-own.md``).
"""
