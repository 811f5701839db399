"""The doctor: what the playbook set on this host, what has drifted since, and how to mend it.

The playbook leaves its marks on the host: its files in ``/etc``, and one that names the rest (`host.EXPECTED`). Each
check compares it with the host. Nothing is changed, and nothing needs a router that runs. Some checks need
root; without it they answer "unknown" and the others still run.

Not a verb of the control service, which is away when this is needed most and sees little from its sandbox; and not the
playbook with ``--check``, which needs the controller and says what Ansible would do instead of what is wrong.
"""
