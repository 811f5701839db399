"""The history: the events of all services in SQLite or PostgreSQL. The only database code.

The spool is the truth and the history follows it: nothing in the data path waits for this package.
"""
