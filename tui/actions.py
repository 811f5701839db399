"""Everything a person can do, in one table: key, word, verb, where.

Bindings, the keys at the bottom, the help, the command line and the page of the documentation are made from it, so
none of them can promise what another does not know. An action that needs a verb is allowed to who may use the verb.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal

from textual.binding import Binding

from appliance.control.rpc.client import api

Danger = Literal["none", "asks", "type the name"]
EVERYWHERE: Final = ""


@dataclass(frozen=True)
class Action:
    """Something to do.

    Parameters
    ----------
    name : str
        As it is written on the command line.
    key : str
        As Textual names it.
    word : str
        What stands beside the key at the bottom.
    text : str
        What it does, in a sentence, for the help.
    page : str
        Where; empty: everywhere.
    verb : str
        The verb of the control API that it needs; empty: none.
    danger : Danger
        Whether it asks before, and how.
    aliases : tuple of str
        Other names on the command line.
    shown : bool
        At the bottom of the page; the help shows all.
    """

    name: str
    key: str
    word: str
    text: str
    page: str = EVERYWHERE
    verb: str = ""
    danger: Danger = "none"
    aliases: tuple[str, ...] = ()
    shown: bool = True

    @property
    def key_text(self) -> str:
        """The key as people read it."""
        return key_text(self.key)


@dataclass(frozen=True)
class PageEntry:
    """A screen that a number opens, or its name alone; `short` stands for the title where there is little room."""

    key: str
    name: str
    title: str
    short: str
    text: str
    aliases: tuple[str, ...] = ()


PAGES: Final = (
    PageEntry(
        "1", "overview", "Overview", "Over", "The flow from senders to targets, the disk, the alerts.", ("home",)
    ),
    PageEntry("2", "queue", "Queue", "Queue", "What waits, for which target, and for how long.", ("tasks",)),
    PageEntry("3", "history", "History", "Hist", "Find an exam; all that happened to it.", ("exams",)),
    PageEntry("4", "rules", "Rules", "Rule", "The rules: explain, dry run, edit.", ()),
    PageEntry("5", "targets", "Targets", "Targ", "The targets: echo, test send, edit.", ()),
    PageEntry("6", "modules", "Modules", "Mod", "The processing modules and what waits for them.", ()),
    PageEntry("7", "services", "Services", "Serv", "The services, their processes, their logs.", ("svc",)),
    PageEntry("8", "alerts", "Alerts", "Alert", "What needs attention, and what to do.", ()),
    PageEntry("9", "config", "Config", "Conf", "The revisions: compare, roll back.", ("revisions",)),
    PageEntry("0", "audit", "Audit", "Audit", "Who changed what.", ()),
    PageEntry("", "senders", "Senders", "Senders", "Who sends, who may, what each uses.", ("scanners",)),
    PageEntry(
        "",
        "finished",
        "Finished",
        "Finished",
        "Delivered and discarded tasks: send again, keep, undo.",
        ("delivered", "discarded"),
    ),
    PageEntry("", "resends", "Resends", "Resends", "The jobs that send again: pause, stop.", ()),
    PageEntry("", "keeps", "Keeps", "Keeps", "What is kept beyond its retention, and until when.", ()),
    PageEntry("", "quarantine", "Quarantine", "Quarantine", "What could not be read: look, read again, forward.", ()),
    PageEntry("", "sections", "Settings", "Settings", "Every setting, by section.", ("settings",)),
    PageEntry("", "refusals", "Refusals", "Refusals", "What senders were refused as associations began."),
    PageEntry("", "backups", "Backups", "Backups", "The backups: write one, check one.", ("backup",)),
    PageEntry("", "selftest", "Self-test", "Self-test", "Whether the box works, step by step.", ("self-test",)),
)
"""The screens in the order of their numbers, and those that have none."""


def _task_action(name: api.queue.VerbName, key: str) -> Action:
    """Make the action of a verb on tasks."""
    verb = api.queue.TASK_VERBS[name]
    danger: Danger = "asks" if verb.confirm else "none"
    return Action(name, key, name, verb.text, "queue", f"queue.{name}", danger)


def _tags_action(page: str, verb: str = "queue.tags", *, shown: bool = True) -> Action:
    """Make the action that shows the tags of an image, for a page of images."""
    return Action("tags", "T", "tags", "Show the tags of an image, as rules see them.", page, verb, shown=shown)


def _desk_actions(page: str, *, shown: bool = True) -> tuple[Action, ...]:
    """Make the actions on what has left the queue, for a page of tasks or series."""
    return (
        Action("send-again", "s", "send again", "Send again; first you see what would be sent where.",
               page, "resend.begin", "asks", ("resend",)),
        Action("decide-again", "d", "decide again", "Let the rules in force decide, as if it had just arrived.",
               page, "resend.begin", "asks", shown=shown),
        Action("missing", "m", "missing", "Ask a target what it has of the exam, and send what is missing there.",
               page, "compare.run", shown=shown),
        Action("receipt", "p", "receipt", "Sign a statement of what came and was delivered of the exam.",
               page, "receipt.make", "asks", shown=shown),
        Action("keep", "K", "keep", "Keep study, patient or task beyond the retention, with an end and a reason.",
               page, "keep.add", "asks", shown=shown),
    )  # fmt: skip


_OVERVIEW: Final = (
    Action("enter", "enter", "open", "Open what the cursor is on: sender, stage, target, task, alert.", "overview"),
    Action("pane", "tab", "next pane", "Go to the next pane; shift+tab goes back.", "overview"),
)

_QUEUE: Final = (
    Action("inspect", "enter", "inspect", "Show the task in full.", "queue"),
    _task_action("retry", "r"),
    _task_action("hold", "h"),
    _task_action("release", "l"),
    _task_action("reroute", "t"),
    _task_action("discard", "ctrl+d"),
    _task_action("undo", "u"),
    *_desk_actions("queue", shown=False),
    _tags_action("queue"),
    Action("past", "f", "finished", "What was delivered and discarded: opens its page.", "queue"),
    Action(
        "complete", "c", "complete study", "Complete a study that waits for series now.",
        "queue", "queue.force_study", "asks", shown=False,
    ),
    Action("mark", "space", "mark", "Mark a row: actions are then done to all marked.", "queue"),
    Action("mark-all", "*", "mark all", "Mark all rows shown, or none.", "queue", shown=False),
)  # fmt: skip

_SERVICES: Final = (
    Action("log", "enter", "log", "Follow the log of the service.", "services"),
    Action("start", "s", "start", "Start the processes that are not running.", "services", "services.start"),
    Action("restart", "ctrl+t", "restart", "Stop in order and start again.", "services", "services.restart", "asks"),
    Action("stop", "ctrl+x", "stop", "Stop in order.", "services", "services.stop", "type the name"),
    Action("more", "+", "one more", "One process more.", "services", "services.scale", "asks"),
    Action("fewer", "-", "one fewer", "One process fewer.", "services", "services.scale", "asks"),
    Action("try", "t", "self-test", "Open the self-test: does the router work?", "services"),
)

_LOG: Final = (
    Action("level", "v", "level", "Show only lines of a level and worse: all, info, warning, error.", "log"),
    Action(
        "timeline", "enter", "timeline", "Show all that happened to the task or series of a line.", "log",
        "history.timeline",
    ),
)  # fmt: skip

_SELFTEST: Final = (
    Action("run", "r", "run", "Check everything, and send a made-up image through.", "selftest", "selftest.run"),
    Action("look", "l", "checks only", "Check everything, and send nothing.", "selftest", "selftest.run"),
)

_FINISHED: Final = (
    Action("inspect", "enter", "inspect", "Show the task in full.", "finished"),
    _tags_action("finished"),
    *_desk_actions("finished"),
    Action("undo", "u", "undo", "Undo the discard of a task by a person.", "finished", "queue.undo", "asks"),
    Action("view", "v", "view", "Show delivered and discarded, discarded, or delivered tasks.", "finished"),
    Action("mark", "space", "mark", "Mark a row: actions are then done to all marked.", "finished"),
    Action("mark-all", "*", "mark all", "Mark all rows shown, or none.", "finished", shown=False),
)

_RESENDS: Final = (
    Action("pause", "p", "pause/resume", "Pause the job, or resume it.", "resends", "resend.pause"),
    Action("stop", "ctrl+x", "stop", "End the job; what it has put into the queue is delivered.",
           "resends", "resend.stop", "asks"),
)  # fmt: skip

_KEEPS: Final = (
    Action("end", "ctrl+d", "end", "End the keep: the retention holds again.", "keeps", "keep.remove", "asks"),
    Action("mark", "space", "mark", "Mark a row: actions are then done to all marked.", "keeps"),
    Action("mark-all", "*", "mark all", "Mark all rows shown, or none.", "keeps", shown=False),
)

_COMPARE: Final = (
    Action("send-missing", "s", "send missing", "Send just what is missing there; first you see what.",
           "compare", "resend.begin", "asks"),
    Action("ask", "r", "ask again", "Ask the target again.", "compare", "compare.run"),
)  # fmt: skip

_QUARANTINE: Final = (
    Action("look", "enter", "look", "Show what can be read of it, and where it is damaged.", "quarantine"),
    _tags_action("quarantine", "quarantine.show"),
    Action("read-again", "r", "read again", "Read it again, as after an upgrade; what can be read is routed.",
           "quarantine", "quarantine.read_again", "asks", ("release",)),
    Action("forward", "t", "forward", "Forward it to a target as it is.", "quarantine", "quarantine.send", "asks"),
    Action("discard", "ctrl+d", "discard", "Remove it for good.", "quarantine", "quarantine.discard", "asks"),
    Action("mark", "space", "mark", "Mark a row: actions are then done to all marked.", "quarantine"),
    Action("mark-all", "*", "mark all", "Mark all rows shown, or none.", "quarantine", shown=False),
)  # fmt: skip

_BACKUPS: Final = (
    Action("new", "n", "new", "Write a backup; the router keeps running.", "backups", "backup.create", "asks"),
    Action("check", "enter", "check", "Compare each file in it with its digest.", "backups", "backup.check"),
)

_HISTORY: Final = (
    Action(
        "timeline",
        "enter",
        "timeline",
        "Show the result and the timeline of the exam or the series.",
        "history",
        aliases=("story",),
    ),
    Action("unfold", "right", "series", "Show the series of the exam below it.", "history"),
    Action("fold", "left", "no series", "Hide the series of the exam.", "history", shown=False),
    Action("find", "f", "find", "Find an exam by patient, accession number or UID.", "history"),
    Action("period", "v", "when", "Show the exams of another time: today, the last days, all.", "history"),
    _tags_action("history"),
    *_desk_actions("history"),
    Action("refused", "r", "refusals", "What senders were refused as associations began: opens its page.", "history"),
    Action("mark", "space", "mark", "Mark a row: actions are then done to all marked.", "history", shown=False),
    Action("mark-all", "*", "mark all", "Mark all rows shown, or none.", "history", shown=False),
)

_TAGS: Final = (
    Action("next", "n", "next image", "Show the tags of the next image.", "tags"),
    Action("previous", "p", "previous image", "Show the tags of the image before.", "tags"),
    Action("beside", "b", "keep beside", "Keep this image beside those shown next, also of other exams; again: end.",
           "tags"),
    Action("differences", "d", "differences", "Show only what differs from the image beside it; again: all.", "tags"),
    Action("copy-value", "c", "copy value", "Copy the value of the tag; `y` copies its name for a rule.", "tags"),
)  # fmt: skip

_SENDERS: Final = (
    Action("series", "enter", "series", "Show its series on the History page.", "senders"),
    Action("detail", "d", "detail", "Show its usual hours, and what it uses since when.", "senders"),
    Action("allow", "a", "allow", "Let in a sender that was refused or has no entry.",
           "senders", "senders.allow", "asks"),
    Action("switch", "x", "on/off", "Disable or enable it: a disabled one is rejected.",
           "senders", "senders.switch", "asks"),
    Action("echo", "e", "echo", "Ask it for an echo at the address that it sends from.", "senders", "senders.echo"),
    Action("propose", "p", "propose", "Save entries for all who have sent and have none.",
           "senders", "senders.add_proposed", "asks"),
)  # fmt: skip

_RULES: Final = (
    Action("edit", "enter", "edit", "Show the whole rule, and edit it with a check while typing.", "rules"),
    Action("new", "n", "new", "Add a rule.", "rules", "rules.save_one"),
    Action("explain", "x", "explain", "Explain why the rule matches a series or not, part by part.", "rules"),
    Action(
        "dry-run",
        "d",
        "dry run",
        "Show what these rules would have done to the last series.",
        "rules",
        aliases=("rehearse",),
    ),
    Action("up", "[", "up", "Move the rule up: it is checked earlier.", "rules", "rules.order"),
    Action("down", "]", "down", "Move the rule down: it is checked later.", "rules", "rules.order"),
    Action("save", "ctrl+s", "save order", "Save the changed order.", "rules", "rules.order"),
    Action("delete", "ctrl+d", "delete", "Remove the rule.", "rules", "rules.delete", "type the name"),
)

_RULE_FORM: Final = (
    Action("save", "ctrl+s", "save", "Save the rule as a new revision.", "rule-form", "rules.save_one"),
    Action(
        "dry-run",
        "ctrl+t",
        "dry run",
        "Show what it would have done to the last series.",
        "rule-form",
        aliases=("rehearse",),
    ),
)

_TARGETS: Final = (
    Action("show", "enter", "show", "Show all settings.", "targets"),
    Action("echo", "e", "echo", "Ask the target whether it accepts images now.", "targets", "targets.echo"),
    Action("test", "t", "test", "Send made-up images to it.", "targets", "targets.test_send", "asks"),
    Action("probe", "p", "probe", "Open the page that asks the target what it accepts.", "targets"),
    Action("new", "n", "new", "Add a target.", "targets", "targets.save"),
    Action("edit", "m", "edit", "Change its settings.", "targets", "targets.save"),
    Action("delete", "ctrl+d", "delete", "Remove the target.", "targets", "targets.delete", "type the name"),
)

_PROBE: Final = (
    Action("ask", "r", "ask", "Ask the node what it accepts, by an echo and negotiations; no image is sent.",
           "probe", "targets.probe"),
    Action("count", "n", "ask and count", "Ask it, and open up to 4 associations at once, to see how many it has.",
           "probe", "targets.probe"),
    Action("accept", "a", "accept", "Save the settings that are proposed as a new revision.", "probe", "targets.save"),
)  # fmt: skip

_TARGET_FORM: Final = (
    Action("save", "ctrl+s", "save", "Save the target as a new revision.", "target-form", "targets.save"),
    Action("try", "ctrl+t", "echo", "Ask the target as it is typed here.", "target-form", "targets.echo"),
)

_FORM: Final = (
    Action("next", "tab", "next", "Go to the next field; enter and ↓ do it too.", "form"),
    Action("previous", "shift+tab", "back a field", "Go to the field before; ↑ does it too.", "form", shown=False),
)
"""In every form; letters, `?` and `q` among them, are typed there."""

_CONFIG: Final = (
    Action("changes", "enter", "what changed", "Show what the revision changed.", "config"),
    Action("compare", "c", "compare", "Compare the revision with what is in force.", "config"),
    Action("rollback", "ctrl+b", "roll back", "Make the revision the newest one again.",
           "config", "config.rollback", "asks"),
    Action("forms", "s", "settings", "Change settings, by section: opens their page.", "config"),
    Action("file", "f", "other file", "mercure.json or services.json.", "config"),
    Action("keep", "b", "backups", "Write and check backups: opens their page.", "config"),
)  # fmt: skip

_SECTIONS: Final = (
    Action("open", "enter", "change", "Open the form or the table of the section.", "sections"),
    Action("history-of", "c", "revisions", "See what was saved, compare, roll back: opens their page.", "sections"),
    Action("save", "ctrl+s", "save", "Save the section as a new revision.", "section-form", "config.section"),
    Action("edit", "enter", "change", "Change the entry.", "entries"),
    Action("new", "n", "new", "Add an entry.", "entries", "config.section"),
    Action("delete", "ctrl+d", "delete", "Remove the entry.", "entries", "config.section", "type the name"),
    Action("save", "ctrl+s", "save", "Save the entry as a new revision.", "entry-form", "config.section"),
)

_OTHERS: Final = (
    Action("log", "l", "module log", "Show what its module printed last.", "task"),
    _tags_action("task"),
    Action("show", "enter", "show", "Show all settings.", "modules"),
    Action("check", "e", "check", "Ask its runner whether it could run it now.", "modules", "modules.check"),
    Action("switch", "x", "on/off", "Switch it on or off: tasks of one that is off wait.",
           "modules", "modules.switch", "asks"),
    Action("new", "n", "new", "Add a module.", "modules", "modules.save"),
    Action("edit", "m", "modify", "Change its settings.", "modules", "modules.save"),
    Action("delete", "ctrl+d", "delete", "Remove the module.", "modules", "modules.delete", "type the name"),
    Action("save", "ctrl+s", "save", "Save the module as a new revision.", "module-form", "modules.save"),
    Action("try", "ctrl+t", "check", "Ask its runner, as it is typed here.", "module-form", "modules.check"),
    Action("go", "enter", "go there", "Open the page on which something can be done about it.", "alerts"),
    Action("acknowledge", "a", "acknowledge", "Acknowledge the alert: no more reminders; again: withdraw it.",
           "alerts", "alerts.acknowledge"),
    Action("show", "enter", "show", "Show before and after in full.", "audit"),
)  # fmt: skip

_TABLES: Final = (
    Action(
        "filter", "/", "filter", "Show only rows or lines that contain a text; `!text`: those that do not.", shown=False
    ),
    Action("sort", "o", "order", "Sort the rows by another column.", shown=False),
    Action("copy", "y", "copy", "Copy a value of the row to the clipboard of your terminal.", shown=False),
    Action(
        "write",
        "w",
        "write CSV",
        "Write the rows shown to a CSV file in the folder in which this program runs.",
        shown=False,
    ),
)

_EVERYWHERE: Final = (
    Action("help", "?", "help", "All keys of this screen, and those of every screen."),
    Action("command", ":", "command", "Type the name of an action or a screen.", shown=False),
    Action("back", "escape", "back", "Close what is open; clear the filter; go back to the page before.", shown=False),
    Action("refresh", "ctrl+r", "refresh", "Refresh now.", shown=False),
    Action(
        "theme", "f2", "theme", "Take the next theme: dark, light, high contrast, 16 colours, no colours.", shown=False
    ),
    Action("quit", "q", "quit", "Quit; the router keeps running.", aliases=("q", "exit")),
)

OPENS_A_LINE: Final = frozenset({"filter", "command"})
"""Actions after which something is typed."""

ACTIONS: Final = (
    *_OVERVIEW,
    *_QUEUE,
    *_HISTORY,
    *_TAGS,
    *_SENDERS,
    *_RULES,
    *_RULE_FORM,
    *_TARGETS,
    *_PROBE,
    *_TARGET_FORM,
    *_FORM,
    *_SERVICES,
    *_LOG,
    *_SELFTEST,
    *_FINISHED,
    *_RESENDS,
    *_KEEPS,
    *_COMPARE,
    *_QUARANTINE,
    *_BACKUPS,
    *_CONFIG,
    *_SECTIONS,
    *_OTHERS,
    *_TABLES,
    *_EVERYWHERE,
)
"""All actions; of a page first, as they are to stand at its bottom."""

_KEYS: Final = {
    "escape": "esc", "space": "space", "enter": "enter", "slash": "/", "question_mark": "?", "colon": ":",
    "asterisk": "*", "plus": "+", "minus": "-", "f1": "F1", "f2": "F2",
    "left": "←", "right": "→",
}  # fmt: skip


def key_text(key: str) -> str:
    """Write a key as people read it: ``^d`` for ctrl+d."""
    return "^" + key.removeprefix("ctrl+") if key.startswith("ctrl+") else _KEYS.get(key, key)


def actions_of(page: str) -> tuple[Action, ...]:
    """Return what can be done on a page, and everywhere."""
    return tuple(action for action in ACTIONS if action.page in {page, EVERYWHERE})


def bindings_of(page: str) -> list[Binding]:
    """Return the keys of a page for Textual."""
    return [
        Binding(action.key, f"act('{action.name}')", action.word, show=False)
        for action in ACTIONS
        if action.page == page
    ]


def bindings_everywhere() -> list[Binding]:
    """Return the keys of all pages for Textual.

    What opens a line to type in is bound a second time, before all else: the letters that come after it in the same
    moment (a paste, a slow link) are to be typed there, and not to act on the page.
    """
    first = [
        Binding(action.key, f"act('{action.name}')", action.word, show=False, priority=True)
        for action in _EVERYWHERE + _TABLES
        if action.name in OPENS_A_LINE
    ]
    return [*first, *bindings_of(EVERYWHERE), Binding("f1", "act('help')", "help", show=False)]


def keys_of(page: str, *, detail: bool = False) -> list[Action]:
    """Return what stands at the bottom of a page; of a detail of one, how one leaves it too."""
    return [action for action in actions_of(page) if action.shown or (detail and action.name == "back")]


def keys_of_form(page: str) -> list[Action]:
    """Return what stands at the bottom of a form: there letters are typed, so only other keys act."""
    own = [action for place in (page, "form") for action in ACTIONS if action.page == place and action.shown]
    other = {action.name: action for action in _EVERYWHERE}
    return [*own, replace(other["back"], word="leave"), replace(other["help"], key="f1")]


def page_title(name: str) -> str:
    """Return what a page is called."""
    return next((page.title for page in PAGES if page.name == name), name.capitalize())


def page_bindings() -> list[Binding]:
    """Return the numbers of the pages for Textual; before all else, so that the key after it is for that page."""
    return [
        Binding(page.key, f"open('{page.name}')", page.title, show=False, priority=True) for page in PAGES if page.key
    ]


def matching_commands(page: str, text: str) -> list[tuple[str, str]]:
    """Return what a text on the command line may mean on a page: ``page`` or ``action``, and its name, the best first.

    The name or one of its aliases; else what begins with the text; else what has its letters in this order (``sft`` for
    self-test). Of these only the first kind that fits anything counts.
    """
    word = text.strip().casefold()
    known = list(commands_of(page))
    for fits in (str.__eq__, str.startswith, _has_letters):
        found = dict.fromkeys((kind, meant) for name, kind, meant in known if word and fits(name, word))
        if found:
            return list(found)
    return []


def _has_letters(name: str, word: str) -> bool:
    letters = iter(name)
    return all(letter in letters for letter in word)


def commands_of(page: str) -> Iterator[tuple[str, str, str]]:
    """Yield what the command line knows on a page: text, ``page`` or ``action``, and the name meant."""
    for entry in PAGES:
        for text in filter(None, (entry.name, entry.key, *entry.aliases)):
            yield text, "page", entry.name
    for action in actions_of(page):
        for text in (action.name, *action.aliases):
            yield text, "action", action.name
