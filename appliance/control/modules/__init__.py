"""The processing modules: list and check; test runs, steps and logs."""
