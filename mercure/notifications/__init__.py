"""Notifications: messages, their text, the queue on disk, and the channels by which they are sent.

Nothing in the data path waits for it: a message is put into the queue as a file, and the service
``notifier`` sends it (``docs/decisions/0105-a-notifier-of-its-own.md``).
"""
