"""Rules for runs with one scanner: by who it is, so that a router which forgets that sends its images elsewhere."""

from __future__ import annotations

from tests.oracle.meaning import Rule, always

ELSEWHERE = "elsewhere"


def of_the_scanner(target: str, *, calling: str = "PEER", called: str = "MERCURE", address: str) -> tuple[Rule, ...]:
    """Return rules by which all images of one scanner go to one target, and all others elsewhere."""
    sender = f'tags.SenderAET == "{calling}" and tags.ReceiverAET == "{called}" and tags.SenderAddress == "{address}"'
    return (
        Rule(
            "scanner",
            {"rule": sender, "targets": [target]},
            lambda image: (image.calling, image.called, image.address) == (calling, called, address),
            (target,),
        ),
        Rule(
            "others",
            {"rule": "True", "targets": [ELSEWHERE], "fallback": True},
            always,
            (ELSEWHERE,),
            fallback=True,
        ),
    )
