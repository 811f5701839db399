"""Test guests: a real Debian with systemd as PID 1, its own network and a data disk, for the playbook to work on.

``python -m tests.guests --help`` tells the commands; ``molecule/`` calls them. Root only, and the standard library
only: this runs in whatever Python has Ansible. The machine's own network, clock, kernel settings and services are
never touched: all is in namespaces, in one control group for each scenario, and in two folders (``places``).
"""
