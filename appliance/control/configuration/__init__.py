"""The configuration: show, check, edit, save, revisions, the first one, and the one of an older mercure."""
