"""The crash matrix: each scenario is run once to count its durable steps, then once per step with a kill at that step.

What was acknowledged is known from an account kept by the sender, outside the router (`account`). After every kill
the router is started again and brought to the end; then each acknowledged image must be, bit by bit, where the scenario
says, and ``mercure verify`` must agree. ``make crash`` runs all of it and writes ``docs/crash-matrix.md``.
"""
