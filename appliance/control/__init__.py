"""What a person can do with the router: one file per group of verbs, typed results, every change audited.

The command line calls these functions; the control API exposes the same ones.
"""
