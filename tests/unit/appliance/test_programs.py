from __future__ import annotations

import shlex
import sys
from configparser import RawConfigParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from supervisor.options import UnhosedConfigParser

from appliance.supervision.programs import LISTENED, OWN, Program, conf_text, programs, quoted
from mercure import services as supervised
from mercure.config import Config, Receiver, ServicesFile
from mercure.scheduling.worker_pool import STOP_SECONDS
from mercure.services.receiver import END_SECONDS

ROOT = Path("/srv/mercure")


MODULES = {"control": "appliance.control", "listener": "appliance.crash_listener", "page": "appliance.status_page"}
OWN_ONCE = dict.fromkeys(OWN, 1)


def parse(text: str) -> RawConfigParser:
    parser: RawConfigParser = UnhosedConfigParser()
    parser.read_string(text)
    return parser


def test_every_service_is_run_as_often_as_configured() -> None:
    services = ServicesFile.model_validate({"dispatcher": {"instances": 3}, "router": {"instances": 0}})
    found = {program.name: program.instances for program in programs(ROOT, services, Config())}
    assert found == {
        "receiver": 1,
        "router": 0,
        "processor": 1,
        "dispatcher": 3,
        "cleaner": 1,
        "notifier": 1,
        "bookkeeper": 1,
        "page": 1,
        **OWN_ONCE,
    }


def test_no_service_is_forgotten() -> None:
    names = {program.name for program in programs(ROOT, ServicesFile(), Config())}
    assert names - set(OWN) == {*supervised.NAMES, "page"} == set(ServicesFile.model_fields) - {"version"}
    assert set(OWN) < names


def test_each_is_given_its_name_and_root() -> None:
    for program in programs(ROOT, ServicesFile(), Config()):
        module = MODULES.get(program.name, f"mercure.services {program.name}")
        more = ("--listen", "127.0.0.1:8080") if program.name == "page" else ()
        assert program.command == (sys.executable, "-P", "-m", *module.split(), "--root", str(ROOT), *more)


def test_the_page_can_be_left_out_and_is_told_where_it_listens() -> None:
    settings = Config.model_validate({"status_page": {"bind": "::1", "port": 8443}})
    services = ServicesFile.model_validate({"page": {"instances": 0}})
    (page,) = (program for program in programs(ROOT, services, settings) if program.name == "page")
    assert page.instances == 0
    assert page.command[-2:] == ("--listen", "[::1]:8443")


def test_the_receiver_stops_first_and_the_bookkeeper_last() -> None:
    by_priority = sorted(programs(ROOT, ServicesFile(), Config()), key=lambda program: -program.priority)
    assert by_priority[0].name == "receiver"
    assert by_priority[-1].name == "bookkeeper"


def test_each_is_given_more_time_to_stop_than_it_takes_itself() -> None:
    config = Config(receiver=Receiver(stop_timeout_seconds=500))
    limits = {program.name: program.stop_seconds for program in programs(ROOT, ServicesFile(), config)}
    assert limits["receiver"] > 500 + END_SECONDS
    assert limits["dispatcher"] > STOP_SECONDS


def test_the_only_server_is_a_socket_for_the_owner() -> None:
    parser = parse(conf_text(programs(ROOT, ServicesFile(), Config())))
    assert [section for section in parser.sections() if "server" in section] == ["unix_http_server"]
    assert parser["unix_http_server"]["chmod"] == "0600"


def test_several_instances_have_names_and_logs_of_their_own() -> None:
    section = parse(conf_text([Program("router", ["true"], instances=2)]))["program:router"]
    assert section["numprocs"] == "2"
    assert "%(process_num)02d" in section["process_name"]
    assert section["stdout_logfile"] == "log/%(program_name)s_%(process_num)02d.log"


def test_term_is_for_the_service_alone_and_kill_for_all_its_children() -> None:
    section = parse(conf_text([Program("receiver", ["true"])]))["program:receiver"]
    assert (section["stopsignal"], section["stopasgroup"], section["killasgroup"]) == ("TERM", "false", "true")


def test_the_listener_speaks_the_protocol_on_its_output_and_logs_on_its_error() -> None:
    section = parse(conf_text(programs(ROOT, ServicesFile(), Config())))["eventlistener:listener"]
    assert set(section["events"].split(",")) == set(LISTENED)
    assert (section["stdout_logfile"], "redirect_stderr" in section) == ("NONE", False)
    assert section["stderr_logfile"].startswith("log/")


def test_no_instances_is_no_program() -> None:
    assert "program:router" not in parse(conf_text([Program("router", ["true"], instances=0)]))


TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs"]))


@given(st.lists(TEXT, min_size=1))
def test_a_command_comes_through_as_it_is(words: list[str]) -> None:
    section = parse(conf_text([Program("router", words)]))["program:router"]
    assert shlex.split(section["command"] % {}) == words


@pytest.mark.parametrize("word", ["a\nb", "a\0b", "a\rb"])
def test_a_control_character_cannot_be_written(word: str) -> None:
    with pytest.raises(ValueError, match="control character"):
        quoted(word)
