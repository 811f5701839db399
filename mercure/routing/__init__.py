"""What the router does with a series: when it is complete, taking it, deciding, deriving tasks."""
