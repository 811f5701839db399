"""Audit trail for a hospital's audit repository: messages by PS3.15 A.5, sent as syslog over TLS."""
