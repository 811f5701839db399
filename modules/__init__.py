"""Processing modules: two examples of our own, and what builds them into programs and images."""
