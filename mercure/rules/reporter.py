"""Saying what is wrong while the names of a rule are looked up."""

from __future__ import annotations

from typing import Never

from mercure.rules.errors import Code, Diagnostic, RuleError, TextPlace
from mercure.rules.keywords import vr_of
from mercure.rules.nodes import SyntaxNode
from mercure.rules.tags import is_known, is_never_read, unknown


class Reporter:
    """Keeps the findings of one rule.

    Parameters
    ----------
    text : str
        The rule.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.findings: list[Diagnostic] = []

    def check_keyword(self, node: SyntaxNode, keyword: str, *, as_text: bool) -> None:
        """Note what is wrong with a keyword; the rule can run all the same."""
        if not is_known(keyword):
            fault = unknown(keyword)
            self.note(fault.code, node, fault.message, fault.advice)
        elif as_text and vr_of(keyword) == "SQ":
            self.note("type", node, f"{keyword} is a sequence and no text", f'write sequence("{keyword}")')
        elif is_never_read(keyword):
            self.warn("constant", node, f"{keyword} is never read: it is always empty", "")

    def place(self, node: SyntaxNode) -> TextPlace:
        """Return where a part stands."""
        return TextPlace(self.text, node.start, node.end)

    def fail(self, code: Code, node: SyntaxNode, message: str, advice: str = "") -> Never:
        """Refuse the rule.

        Raises
        ------
        RuleError
            Always.
        """
        raise RuleError(code, message, advice, self.place(node))

    def note(self, code: Code, node: SyntaxNode, message: str, advice: str) -> None:
        """Keep an error with which the rule can run, but should not be saved."""
        self.findings.append(RuleError(code, message, advice, self.place(node)).finding())

    def warn(self, code: Code, node: SyntaxNode, message: str, advice: str) -> None:
        """Keep a warning."""
        self.findings.append(Diagnostic("warning", code, message, advice, self.place(node)))
