"""The soak: a whole router under mixed traffic, with kills, outages and changes of its configuration, for half an hour.

In the end everything acknowledged is accounted for, ``mercure verify`` is clean, nothing was stuck, and the memory and
the file descriptors of the services are as flat as they were. ``make soak`` runs it.
"""
