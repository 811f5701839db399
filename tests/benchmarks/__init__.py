"""`make bench`: ours and the peers side by side in one run; medians and ratios, never bare times."""
