"""One screen, one file, one style sheet beside it where it needs one."""
