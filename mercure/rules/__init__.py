"""The rule language: parse, check, evaluate, explain (``docs/reference/rule-language.md``)."""

from mercure.rules.check import check
from mercure.rules.errors import Code, Diagnostic, RuleError, Severity, TextPlace
from mercure.rules.explain import Explanation, ExplanationPart
from mercure.rules.frame import Clock
from mercure.rules.inputs import ImageInputs, differing
from mercure.rules.json_lines import evaluate_json_line
from mercure.rules.record import ImageRecords, TagRecord
from mercure.rules.rule import CompiledRule, Evaluation, compile_rule
from mercure.rules.ruleset import RuleOfSet, SetFinding, check_rule_set
from mercure.rules.sender_names import renamed_sender
from mercure.rules.study_list import StudyList

__all__ = [
    "Clock",
    "Code",
    "CompiledRule",
    "Diagnostic",
    "Evaluation",
    "Explanation",
    "ExplanationPart",
    "ImageInputs",
    "ImageRecords",
    "RuleError",
    "RuleOfSet",
    "SetFinding",
    "Severity",
    "StudyList",
    "TagRecord",
    "TextPlace",
    "check",
    "check_rule_set",
    "compile_rule",
    "differing",
    "evaluate_json_line",
    "renamed_sender",
]
