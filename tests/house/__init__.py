"""Ten questions that a newcomer asks of the code, each answered by a patch."""
