from __future__ import annotations

from types import SimpleNamespace

from supervisor import events

from appliance.supervision.foreground import Narrator


class Story:
    def __init__(self, total: int) -> None:
        self.told: list[str] = []
        self.ending = False
        self.narrator = Narrator(self.told.append, total=lambda: total, ending=lambda: self.ending)

    def see(self, kind: type, *names: str) -> list[str]:
        self.told.clear()
        for name in names:
            event = kind(SimpleNamespace(config=SimpleNamespace(name=name), backoff=1, pid=1), None)
            self.narrator.on_state(event)
        return list(self.told)


def test_a_good_start_is_one_sentence() -> None:
    story = Story(total=2)
    assert story.see(events.ProcessStateStartingEvent, "router_00", "receiver_00") == []
    told = story.see(events.ProcessStateRunningEvent, "router_00", "receiver_00")
    assert told == ["all services run (receiver_00, router_00)"]


def test_a_crash_and_what_follows_are_told_with_the_log() -> None:
    story = Story(total=1)
    story.see(events.ProcessStateRunningEvent, "router_00")
    assert "log/router_00.log" in story.see(events.ProcessStateExitedEvent, "router_00")[0]
    assert "log/router_00.log" in story.see(events.ProcessStateBackoffEvent, "router_00")[0]
    assert "keeps failing" in story.see(events.ProcessStateFatalEvent, "router_00")[0]
    assert story.see(events.ProcessStateRunningEvent, "router_00") == ["router_00 runs"]


def test_while_ending_only_who_has_stopped_is_told() -> None:
    story = Story(total=1)
    story.ending = True
    assert story.see(events.ProcessStateBackoffEvent, "router_00") == []
    assert story.see(events.ProcessStateFatalEvent, "router_00") == []
    assert story.see(events.ProcessStateStoppedEvent, "router_00") == ["router_00 has stopped"]
