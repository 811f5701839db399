"""The control API on its socket: client, server, connections, long actions and streams."""
