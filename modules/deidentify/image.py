"""One image, de-identified: every element of every level gets the action that the profile has for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pydicom.datadict import dictionary_has_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence

from modules.deidentify.private import safe_elements
from modules.deidentify.profile import BASIC, OPTIONS, Action, Profile
from modules.deidentify.settings import Settings
from modules.deidentify.values import DUMMIES, Replacements

METHOD: Final = "DICOM PS3.15 annex E, edition 2026c"

_PATIENT_ID: Final = 0x00100020
_TEXT_OBJECTS: Final = 0x00700008
_DATES: Final = ("DA", "DT")
_TEXTS: Final = ("CS", "LO", "LT", "PN", "SH", "ST", "UC", "UT")
# Enumerations and codes: what gives a dummy item its shape, and is of a closed list in every IOD.
_SHAPE: Final = frozenset({0x0040A010, 0x0040A040, 0x0040A050})

_TEMPORAL: Final = {"full-dates": "UNMODIFIED", "modified-dates": "MODIFIED"}


class ImageDeidentifier:
    """Applies the profile to one image after the other.

    Parameters
    ----------
    settings : Settings
        Options and key.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._profile = Profile(settings.options)
        self._actions: dict[Action, Callable[[Dataset, DataElement, Replacements], None]] = {
            "X": _remove,
            "Z": _empty,
            "D": self._dummy,
            "K": self._keep,
            "C": self._clean,
            "U": self._replace_uid,
        }

    def apply(self, image: Dataset) -> None:
        """Change an image in place, and record in it what was done (PS3.15 section E.1.1, step 7)."""
        values = Replacements(self._settings, str(image.get("PatientID", "") or ""))
        self._level(image, values)
        image.PatientIdentityRemoved = "YES"
        before = image.get("DeidentificationMethod") or []
        image.DeidentificationMethod = [*([before] if isinstance(before, str) else before), METHOD]
        codes = list(image.get("DeidentificationMethodCodeSequence") or [])
        made = [BASIC, *(code for option, code in OPTIONS.items() if option in self._profile.chosen)]
        image.DeidentificationMethodCodeSequence = Sequence([*codes, *(_code(*code) for code in made)])
        temporal = (word for option, word in _TEMPORAL.items() if option in self._profile.chosen)
        image.LongitudinalTemporalInformationModified = next(temporal, "REMOVED")

    def _level(self, dataset: Dataset, values: Replacements) -> None:
        safe: set[int] = set()
        if "safe-private" in self._profile.chosen:
            safe = safe_elements(dataset, self._settings.private)
        for tag in list(dataset.keys()):
            if tag.is_private:
                if int(tag) not in safe:
                    del dataset[tag]
                continue
            action = self._profile.action(int(tag))
            if action is None:
                # What even the dictionary does not know nobody has judged; the table covers all that it knows.
                action = "K" if dictionary_has_tag(tag) else "X"
            self._actions[action](dataset, dataset[tag], values)

    def _keep(self, _dataset: Dataset, element: DataElement, values: Replacements) -> None:
        """Keep the value; what lies within a sequence is judged by itself."""
        if element.VR == "SQ":
            for item in element.value:
                self._level(item, values)

    def _replace_uid(self, dataset: Dataset, element: DataElement, values: Replacements) -> None:
        """Replace UIDs; in a sequence (U*) those of its items, which are judged by themselves."""
        if element.VR == "UI":
            element.value = _each(element.value, values.uid)
        elif element.VR == "SQ":
            self._keep(dataset, element, values)
        else:
            _remove(dataset, element, values)

    def _dummy(self, _dataset: Dataset, element: DataElement, values: Replacements) -> None:
        if int(element.tag) == _PATIENT_ID:
            element.value = values.pseudonym(str(element.value or ""))
        elif element.VR == "SQ":
            element.value = Sequence([self._dummy_item(item, values) for item in element.value[:1]])
        elif element.VR == "UI":
            element.value = _each(element.value, values.uid)
        else:
            element.value = DUMMIES[element.VR]

    def _dummy_item(self, item: Dataset, values: Replacements) -> Dataset:
        """Return an item of the same shape that says nothing: every value of it is a dummy."""
        self._level(item, values)
        for tag in list(item.keys()):
            element = item[tag]
            if element.VR == "SQ":
                element.value = Sequence([self._dummy_item(inner, values) for inner in element.value[:1]])
            elif element.VR != "UI" and int(tag) not in _SHAPE and element.value not in (None, ""):
                element.value = DUMMIES[element.VR]
        return item

    def _clean(self, dataset: Dataset, element: DataElement, values: Replacements) -> None:
        if element.VR == "SQ":
            self._keep(dataset, element, values)
            for item in element.value:
                # What is drawn stays; what is written cannot be told from a name.
                if _TEXT_OBJECTS in item:
                    del item[_TEXT_OBJECTS]
        elif element.VR in _DATES:
            element.value = _each(element.value, values.date)
        elif element.VR in _TEXTS:
            element.value = _each(element.value, values.text)
        elif element.VR != "TM":
            _remove(dataset, element, values)  # pictures of overlays and curves: nobody can read them here


def _remove(dataset: Dataset, element: DataElement, _values: Replacements) -> None:
    del dataset[element.tag]


def _empty(_dataset: Dataset, element: DataElement, _values: Replacements) -> None:
    element.value = Sequence() if element.VR == "SQ" else None


def _each(value: object, change: Callable[[str], str]) -> object:
    if value is None:
        return None
    if isinstance(value, MultiValue):
        return [change(str(part)) for part in value]
    return change(str(value))


def _code(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
    return item
