"""What the playbook set on this host and what may have drifted since, with how to mend it.

The playbook leaves its marks on the host: its files in ``/etc``, and one that names the rest (`host.EXPECTED`). Each
question looks whether the host still is so. Nothing is changed, and nothing needs a router that runs. Some answers only
root gets; who is not root is told so and gets the others.
"""
