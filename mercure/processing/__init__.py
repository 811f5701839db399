"""Processing: what the processor decides and does, without the loop around it."""
