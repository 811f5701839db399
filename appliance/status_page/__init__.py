"""The status page: a small read-only web page for clinicians, and what machines ask (``/healthz``, ``/metrics``).

A program of its own and a client of the control API, with the role viewer and no other way to the router: it never
looks at spool, database or configuration files. `source` asks, `views` and `exposition` say it, `site` answers.
"""
