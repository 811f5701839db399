"""What a module is given: its images in ``in/`` and its ``task.json``, in the form that mercure's modules know."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from mercure import __version__, durable
from mercure.config import Config, ModuleSettings
from mercure.dicom.copies import copy_image
from mercure.dicom.receipt import AlteredHeaderError, read_receipt
from mercure.processing.inputs import StepInputs, image_name
from mercure.runners import IN, OUT
from mercure.spool import Task
from mercure.spool.images import text

TASK_FILE: Final = "task.json"


def effective_settings(settings: ModuleSettings, task: Task) -> dict[str, Any]:
    """Return the settings for a task's next step: the module's, then the rule's, then the rule's for this step."""
    step = len(task.done)
    own = task.step_settings[step] if step < len(task.step_settings) else {}
    return {**settings.settings, **task.module_settings, **own}


def build_inputs(inputs: StepInputs, folder: Path, *, copies: bool, sync: bool = True) -> None:
    """Make ``in/`` and ``out/`` of a run.

    Each image is named by its series and itself (``series#sop.dcm``), so that a module can tell the series of a study
    apart without reading them. An image that was received is copied, without what its header tells of the sender, and
    compared with its digests; one that a module wrote is linked.

    Parameters
    ----------
    inputs : StepInputs
        What goes in.
    folder : Path
        The run's; it exists and is empty.
    copies : bool
        The module could write to what it is given: it gets copies, and the originals stay as they are.
    sync : bool
        False where a copy may be lost with the power, because the run ends with it, too.

    Raises
    ------
    AlteredImageError
        An image is not what was received: no module sees any of them.
    OSError
        As the disk says.
    """
    durable.make_directory(folder / IN, sync=False)
    durable.make_directory(folder / OUT, mode=0o770, sync=False)
    for image in inputs.images:
        digest = text(image.record, "DataSetDigest")
        place = folder / IN / image_name(image)
        if copies or digest or _is_received(image.path):
            copy_image(image.path, place, expected=digest, sync=sync)
        else:
            durable.link(image.path, place)


def _is_received(image: Path) -> bool:
    try:
        return read_receipt(image) is not None
    except AlteredHeaderError:
        return True  # what is left of it; the copy finds out what is wrong


def write_task_file(folder: Path, content: dict[str, Any]) -> None:
    """Write ``in/task.json``."""
    data = json.dumps(content, indent=4, ensure_ascii=True).encode()
    durable.write_file(folder / IN / TASK_FILE, data, mode=0o644, sync=False)
    os.chmod(folder / IN / TASK_FILE, 0o644)


def task_content(config: Config, name: str, settings: ModuleSettings, task: Task) -> dict[str, Any]:
    """Return what ``in/task.json`` says.

    Parameters
    ----------
    config : Config
        For the router's name.
    name : str
        The module.
    settings : ModuleSettings
        Its settings.
    task : Task
        Of whom.
    """
    rules = [rule.rule for rule in task.rules]
    identity, origin = task.identity, task.origin
    study = task.scope == "study"
    return {
        "id": task.id,
        "info": {
            "action": "both" if task.then_targets else "process",
            "uid": identity.StudyInstanceUID if study else identity.SeriesInstanceUID,
            "uid_type": task.scope,
            "triggered_rules": dict.fromkeys(rules, True),
            "applied_rule": rules[0] if rules else None,
            "patient_name": identity.PatientName,
            "mrn": identity.PatientID,
            "acc": identity.AccessionNumber,
            "sender_address": origin.address,
            "sender_aet": origin.calling_aet,
            "receiver_aet": origin.called_aet,
            "mercure_version": __version__,
            "mercure_appliance": config.name,
            "mercure_server": config.name,
        },
        "dispatch": {"target_name": list(task.then_targets)} if task.then_targets else {},
        "process": {
            "module_name": name,
            "module_config": {"docker_tag": settings.image, "settings": settings.settings},
            "settings": effective_settings(settings, task),
            "retain_input_images": str(settings.retain_inputs),
        },
        "study": {"study_uid": identity.StudyInstanceUID} if study else {},
    }


def mount_problem(config: Config, settings: ModuleSettings) -> str | None:
    """Tell which mount of a module is not allowed, if any. Links are followed first: a link may lead anywhere."""
    allowed = [Path(os.path.realpath(folder)) for folder in config.processing.mounts_from]
    for mount in settings.mounts:
        real = Path(os.path.realpath(mount.source))
        if not any(real.is_relative_to(folder) for folder in allowed):
            names = _listed([str(folder) for folder in allowed])
            return f"{mount.source} may not be mounted; 'processing.mounts_from' allows {names}"
    return None


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if names else "no folder"
