"""A node that answers queries as a test wants it: by level, with whatever statuses and identifiers."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydicom.dataset import Dataset
from pynetdicom import AE, build_context, evt

from mercure.dicom.find import STUDY_ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

PENDING, SUCCESS = 0xFF00, 0x0000


def named(**values: object) -> Dataset:
    """Make an identifier."""
    made = Dataset()
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


@dataclass
class Archive:
    """What a node has: by study and series the instances; and the level at which it answers otherwise."""

    studies: dict[str, dict[str, list[str]]]
    accession: str = "A1"
    otherwise: dict[str, Callable[[Dataset], Iterable[tuple[int, Dataset | None]]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def answer(self, event: Any) -> Iterator[tuple[int, Dataset | None]]:
        """Answer one query."""
        query = event.identifier
        level = str(query.QueryRetrieveLevel)
        self.asked.append(level)
        if level in self.otherwise:
            yield from self.otherwise[level](query)
            return
        yield from ((PENDING, row) for row in getattr(self, level.lower())(query))

    def study(self, query: Dataset) -> Iterator[Dataset]:
        """Name the studies."""
        for uid in self.studies:
            if "AccessionNumber" in query and query.AccessionNumber:
                if query.AccessionNumber == self.accession:
                    yield named(StudyInstanceUID=uid, AccessionNumber=self.accession)
            elif query.StudyInstanceUID == uid:
                yield named(StudyInstanceUID=uid)

    def series(self, query: Dataset) -> Iterator[Dataset]:
        """Name the series of a study."""
        study = str(query.StudyInstanceUID)
        for uid, instances in self.studies[study].items():
            yield named(StudyInstanceUID=study, SeriesInstanceUID=uid, NumberOfSeriesRelatedInstances=len(instances))

    def image(self, query: Dataset) -> Iterator[Dataset]:
        """Name the instances of a series."""
        study, series = str(query.StudyInstanceUID), str(query.SeriesInstanceUID)
        for uid in self.studies[study][series]:
            yield named(StudyInstanceUID=study, SeriesInstanceUID=series, SOPInstanceUID=uid)


@contextmanager
def find_node(port: int, archive: Archive, *, sop_class: str = STUDY_ROOT) -> Iterator[Archive]:
    """Run a node with that archive."""
    entity = AE(ae_title="ARCHIVE")
    entity.supported_contexts = [build_context(sop_class)]
    server = entity.start_server(("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_FIND, archive.answer)])
    assert server is not None
    try:
        yield archive
    finally:
        server.shutdown()
