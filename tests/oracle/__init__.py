"""The oracle: which targets must have each image that a sender saw acknowledged, and in which version.

It knows nothing of the router but the meaning of the rules of a run, each written beside it as a plain predicate over
what the sender itself knows. It imports nothing of the router: ``tests/oracle/test_independence.py`` looks at that.
"""
