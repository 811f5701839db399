"""The conformance statement is what the tables in the code say."""

from __future__ import annotations

import pytest

from mercure.config.basics import TRANSFER_SYNTAX_POLICIES
from mercure.dicom.receipt import CREATOR_UID, IMPLEMENTATION_VERSION
from mercure.dicom.uids import registry
from tests.support.conformance import statement


def test_the_page_is_current() -> None:
    tool = statement()
    assert tool.PAGE.read_text("utf-8") == tool.page(), "run `make docs`"


def test_python_and_cpp_are_one_implementation() -> None:
    assert statement().implementation() == (CREATOR_UID, IMPLEMENTATION_VERSION)


def test_every_table_is_read_whole() -> None:
    tool = statement()
    assert len(tool.stored_classes()) > 190
    assert len(tool.refused_services()) > 50
    assert set(tool.encoded()) < set(tool.decoded())
    assert set(tool.decoded()) < set(registry())
    assert len(tool.uncompressed()) == 5
    assert set(tool.answered()) == set(tool._STATUS_MEANINGS)
    assert tool.understood()[-1][:2] == ("0x0000", "0xFFFF")
    assert {"100", "192", "87", "GB18030"} <= set(tool.character_sets())
    assert all(policy in tool.page() for policy in TRANSFER_SYNTAX_POLICIES)


def test_a_table_that_is_not_there_any_more_is_said() -> None:
    tool = statement()
    with pytest.raises(ValueError, match="kNothing"):
        tool.found_in("receipt.h", "x", "kNothing")
