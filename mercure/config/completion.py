"""Completion settings: when a series or a study counts as complete."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, SerializationInfo, SerializerFunctionWrapHandler, model_serializer, model_validator

from mercure.config.basics import PositiveSeconds, Seconds, TitleOrName, ae_title
from mercure.model import Model

_DECIDED: Final = frozenset({"after_release_seconds", "longest_release_seconds"})
"""Where a person gave one of these for a sender, nothing is learned of it beyond that."""


class ExpectedCount(Model):
    """How many images or series there will be: a number, or the tag of the images that tells."""

    number: Annotated[int, Field(ge=1)] | None = None
    """How many there will be."""
    tag: Annotated[str, Field(min_length=1)] | None = None
    """DICOM keyword with the count as its value, e.g. ``ImagesInAcquisition``."""

    @model_validator(mode="after")
    def _one_of_both(self) -> ExpectedCount:
        if (self.number is None) == (self.tag is None):
            raise ValueError("give either 'number' or 'tag'")
        return self


class CompletionTimes(Model):
    """When a series counts as complete."""

    quiet_seconds: PositiveSeconds = 60
    """No image for this long."""
    after_release_seconds: Seconds = 5
    """All associations that brought images of it have ended, and none came for this long."""
    longest_release_seconds: Seconds = 60
    """Where late images follow a sender's series again and again, the router lengthens `after_release_seconds` for it
    by itself, up to this. 0, or what is not longer: never. A sender with an `after_release_seconds` of its own keeps
    it, unless this is given for it too."""
    expected_images: ExpectedCount | None = None
    """With so many images it is complete at once; with fewer, the times decide."""

    @model_serializer(mode="wrap")
    def _with_what_a_person_decided(
        self, write: SerializerFunctionWrapHandler, how: SerializationInfo
    ) -> dict[str, object]:
        """Keep the release times that a person gave where they are the defaults, too: nothing is learned then."""
        content: dict[str, object] = write(self)
        kept = self.model_fields_set & _DECIDED if how.exclude_defaults else ()
        return {**content, **{name: getattr(self, name) for name in kept}}


class Completion(CompletionTimes):
    """When a series counts as complete, and for which senders it is otherwise."""

    senders: dict[TitleOrName, CompletionTimes] = {}
    """By calling AE title, or by the name of one of `senders`, which goes first; the whole of it replaces the general
    times. What an entry of `senders` has in its own `completion` goes before it."""
    mixed: Literal["split", "hold"] = "split"
    """What is done with a series that holds images of several senders, studies or patients: ``split``: each part is
    decided on by itself; ``hold``: each part is kept in `error/` until a person releases it."""

    def own(self, calling_aet: str, sender: str = "") -> CompletionTimes | None:
        """Return the exception for a sender, by its name in the configuration or by its AE title."""
        return self.senders.get(sender) or self.senders.get(ae_title(calling_aet))

    def longest_release(self, own: CompletionTimes | None) -> float:
        """Return how long the release time of a sender with such times of its own may become by itself."""
        if own is None or not own.model_fields_set & _DECIDED:
            return self.longest_release_seconds
        given = "longest_release_seconds" in own.model_fields_set
        return own.longest_release_seconds if given else own.after_release_seconds


class StudyCompletion(Model):
    """When the study that a rule collects counts as complete.

    With `series`, `expected_series` or `expected_images` it is complete when all of these that are given are met, and
    the quiet time plays no part; without any of them, when it has been quiet. It is never complete while a series of it
    is still arriving.
    """

    quiet_seconds: PositiveSeconds = 900
    """No image for this long; counts only without `series`, `expected_series` and `expected_images`."""
    series: str | None = None
    """A list such as ``'Axial T2' and ('Sag T1 GRE' or 'Sag T1 TSE')`` over the SeriesDescriptions."""
    expected_series: ExpectedCount | None = None
    """Number of series."""
    expected_images: ExpectedCount | None = None
    """Number of images, of all series together."""
    force_after_seconds: PositiveSeconds = 5400
    """Counted from the last image; then `force_action` is taken, whatever is missing."""
    force_action: Literal["proceed", "discard", "wait"] = "proceed"
    """What is then done with the study: it goes its way, is discarded, or goes on waiting."""

    @property
    def by_content(self) -> bool:
        """Whether what has arrived decides, and not the quiet time."""
        return any(part is not None for part in (self.series, self.expected_series, self.expected_images))
