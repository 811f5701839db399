"""Texts of the page in English and German: every word of its own that it shows, one row for each.

What comes over the control API in words (the technical text of an alert) is English and shown as such. A test looks
that no row lacks a language, that both say the same values, that every row is used and none is missing.
"""

from __future__ import annotations

from typing import Final

LANGUAGES: Final = {"en": "English", "de": "Deutsch"}
"""By their tags (BCP 47), in the order of the columns below; the first one is shown to who asks for none of them."""

TEXTS: Final[dict[str, tuple[str, str]]] = {
    # The frame of all pages.
    "nav": ("Pages", "Seiten"),
    "nav.overview": ("Overview", "Übersicht"),
    "nav.arrivals": ("Arrivals", "Eingänge"),
    "nav.targets": ("Targets", "Ziele"),
    "nav.exam": ("Where is my exam?", "Wo ist meine Untersuchung?"),
    "skip": ("Skip to the content", "Zum Inhalt springen"),
    "language": ("Language", "Sprache"),
    "as_of": ("As of {time} ({zone}).", "Stand {time} ({zone})."),
    "still": ("This page stands still.", "Diese Seite steht still."),
    "again": ("Load it again", "Neu laden"),
    "wall": ("Wall view, which renews itself", "Wandansicht, die sich selbst erneuert"),
    "renewed": ("Renewed every {seconds} seconds.", "Erneuert sich alle {seconds} Sekunden."),
    "stand_still": ("Let it stand still", "Anhalten"),
    "call": ("Questions? Call", "Fragen? Rufen Sie an:"),
    "no_names": ("No names of patients are shown here.", "Namen von Patienten stehen hier nicht."),
    "receipts": ("Receipts are signed with the key", "Quittungen sind unterschrieben mit dem Schlüssel"),
    # Numbers and times.
    "image.one": ("{count} image", "{count} Bild"),
    "image.many": ("{count} images", "{count} Bilder"),
    "series.one": ("{count} series", "{count} Serie"),
    "series.many": ("{count} series", "{count} Serien"),
    "second.one": ("{count} second", "{count} Sekunde"),
    "second.many": ("{count} seconds", "{count} Sekunden"),
    "of_targets.one": ("of {count} target", "von {count} Ziel"),
    "of_targets.many": ("of {count} targets", "von {count} Zielen"),
    "unit.s": ("s", "s"),
    "unit.min": ("min", "min"),
    "unit.h": ("h", "Std."),
    "unit.d": ("d", "Tg."),
    "ago": ("{time} ago", "vor {time}"),
    "in": ("in {time}", "in {time}"),
    "date": ("%d %b %H:%M", "%d.%m. %H:%M"),
    "date.year": ("%d %b %Y", "%d.%m.%Y"),
    "date.day": ("%d %b", "%d.%m."),
    "day.0": ("Mon", "Mo"),
    "day.1": ("Tue", "Di"),
    "day.2": ("Wed", "Mi"),
    "day.3": ("Thu", "Do"),
    "day.4": ("Fri", "Fr"),
    "day.5": ("Sat", "Sa"),
    "day.6": ("Sun", "So"),
    # States.
    "health.well": ("The router is well", "Der Router arbeitet"),
    "health.watch": (
        "The router works, and something is being watched",
        "Der Router arbeitet, und etwas wird beobachtet",
    ),
    "health.bad": ("The router needs help", "Der Router braucht Hilfe"),
    "health.stopped": ("The router does not run", "Der Router läuft nicht"),
    "severity.critical": ("critical", "kritisch"),
    "severity.warning": ("warning", "Warnung"),
    "severity.watch": ("watch", "beobachtet"),
    "target.down": ("not accepting images", "nimmt keine Bilder an"),
    "target.disabled": ("switched off", "abgeschaltet"),
    "target.up": ("accepts images", "nimmt Bilder an"),
    "task.failed": ("failed, IT must look", "fehlgeschlagen, die IT muss nachsehen"),
    "task.held": ("held by IT", "von der IT angehalten"),
    "task.waiting": ("on its way", "unterwegs"),
    "task.planned": ("on its way", "unterwegs"),
    "task.deciding": ("being decided", "wird entschieden"),
    "task.discarded": ("discarded", "verworfen"),
    "task.processed": ("processed", "verarbeitet"),
    "task.delivered": ("delivered", "zugestellt"),
    "task.decided": ("decided", "entschieden"),
    "task.collected": ("collected", "gesammelt"),
    "stage.incoming": ("Arriving", "Kommt an"),
    "stage.routing": ("Being decided", "Wird entschieden"),
    "stage.studies": ("Waiting for the rest of the study", "Wartet auf den Rest der Studie"),
    "stage.processing": ("Being processed", "Wird verarbeitet"),
    "stage.outgoing": ("On the way to targets", "Unterwegs zu den Zielen"),
    "stage.error": ("Failed, waiting for a person", "Fehlgeschlagen, wartet auf die IT"),
    "stage.quarantine": ("Unreadable, kept aside", "Unlesbar, beiseitegelegt"),
    "stage.oldest": ("oldest {time}", "älteste {time}"),
    # Overview.
    "summary.none": ("No image has come yet.", "Noch ist kein Bild gekommen."),
    "summary": (
        "{images} in the last hour, the last one {ago}.",
        "{images} in der letzten Stunde, das letzte {ago}.",
    ),
    "proof.0": (
        "Proof of the night, {ago}: every image was accounted for.",
        "Nächtliche Prüfung, {ago}: jedes Bild ist nachgewiesen.",
    ),
    "proof.1": (
        "Proof of the night, {ago}: not every image is accounted for.",
        "Nächtliche Prüfung, {ago}: nicht jedes Bild ist nachgewiesen.",
    ),
    "proof.2": (
        "Proof of the night, {ago}: not everything could be checked.",
        "Nächtliche Prüfung, {ago}: nicht alles konnte geprüft werden.",
    ),
    "history.away": (
        "Figures of the past cannot be shown: the history does not answer. "
        "Images are received and delivered all the same.",
        "Zahlen der Vergangenheit fehlen: Die Historie antwortet nicht. "
        "Bilder werden trotzdem angenommen und zugestellt.",
    ),
    "alerts": ("What needs attention", "Was Aufmerksamkeit braucht"),
    "figures": ("Figures", "Zahlen"),
    "tile.arrived": ("Arrived", "Angekommen"),
    "tile.arrived.note": ("images in the last hour", "Bilder in der letzten Stunde"),
    "tile.waiting": ("To be delivered", "Zuzustellen"),
    "tile.waiting.note": ("series or studies on the way", "Serien oder Studien unterwegs"),
    "tile.failed": ("Failed", "Fehlgeschlagen"),
    "tile.failed.note": ("wait for a person", "warten auf die IT"),
    "tile.down": ("Down", "Gestört"),
    "tile.connected": ("Connected", "Verbunden"),
    "tile.connected.note": ("senders, at this moment", "Sender, in diesem Augenblick"),
    "tile.room": ("Room", "Platz"),
    "tile.room.note": ("free, {share} % of the disk", "frei, {share} % der Platte"),
    "chart": ("The last {hours} hours", "Die letzten {hours} Stunden"),
    "chart.received": ("{count} images received", "{count} Bilder angenommen"),
    "chart.delivered": ("{count} delivered", "{count} zugestellt"),
    "chart.title": (
        "Images in each of the last {hours} hours: {received} received, {delivered} delivered in all; "
        "the numbers are in the table below",
        "Bilder in jeder der letzten {hours} Stunden: insgesamt {received} angenommen, {delivered} zugestellt; "
        "die Zahlen stehen in der Tabelle darunter",
    ),
    "chart.numbers": ("The numbers", "Die Zahlen"),
    "chart.by_hour": ("Images by hour", "Bilder nach Stunde"),
    "chart.caption": ("Images by hour, the last hour first", "Bilder nach Stunde, die letzte zuerst"),
    "chart.hour": ("Hour from", "Stunde ab"),
    "column.received": ("Received", "Angenommen"),
    "column.delivered": ("Delivered", "Zugestellt"),
    "days": ("The last {days} days", "Die letzten {days} Tage"),
    "days.summary": (
        "{well} of {known} days without an outage",
        "{well} von {known} Tagen ohne Störung",
    ),
    "days.caption": ("Days with an outage, the last first", "Tage mit Störung, der letzte zuerst"),
    "days.day": ("Day", "Tag"),
    "days.lasted": ("Outages lasted", "Störungen dauerten"),
    "days.list": ("Days with an outage", "Tage mit Störung"),
    "days.well": ("no outage", "keine Störung"),
    "days.short": ("outage of less than an hour", "Störung unter einer Stunde"),
    "days.bad": ("outage of an hour or more", "Störung von einer Stunde oder mehr"),
    "days.unknown": ("not known", "nicht bekannt"),
    "stages": ("In the router now", "Jetzt im Router"),
    # Arrivals and targets.
    "senders": ("Senders", "Sender"),
    "senders.last": ("Who sent images last", "Wer zuletzt Bilder gesendet hat"),
    "senders.caption": (
        "All senders, the one with the last image first",
        "Alle Sender, der mit dem letzten Bild zuerst",
    ),
    "senders.all": ("All {count} senders", "Alle {count} Sender"),
    "senders.none": ("No sender has sent an image yet.", "Noch hat kein Sender ein Bild gesendet."),
    "senders.help": (
        "Is your scanner missing, or silent for longer than it should be? Then nothing of it arrives here: "
        "tell IT.",
        "Fehlt Ihr Gerät, oder schweigt es länger, als es sollte? Dann kommt von ihm hier nichts an: "
        "Sagen Sie der IT Bescheid.",
    ),
    "senders.slow": (
        "sends slowly: complete {seconds} s after it ends",
        "sendet langsam: vollständig {seconds} s nach dem Ende",
    ),
    "senders.silent": ("silent for unusually long", "schweigt ungewöhnlich lange"),
    "senders.hourly": (
        "images in each of the last {hours} hours, {most} at most",
        "Bilder in jeder der letzten {hours} Stunden, höchstens {most}",
    ),
    "column.sender": ("Sender", "Sender"),
    "column.last": ("Last image", "Letztes Bild"),
    "column.hour": ("Last hour", "Letzte Stunde"),
    "column.hours": ("{hours} hours", "{hours} Stunden"),
    "column.volume": ("Volume", "Datenmenge"),
    "column.target": ("Target", "Ziel"),
    "column.state": ("State", "Zustand"),
    "column.waiting": ("Waiting", "Wartend"),
    "column.failed": ("Failed", "Fehler"),
    "since": ("since {time}", "seit {time}"),
    "targets.caption": ("Where images go", "Wohin Bilder gehen"),
    "targets.order": (
        "All targets, in the order of the configuration",
        "Alle Ziele, in der Reihenfolge der Konfiguration",
    ),
    "targets.all": ("All {count} targets", "Alle {count} Ziele"),
    "targets.none": ("No target is configured.", "Es ist kein Ziel eingerichtet."),
    "targets.help": (
        "Where images go. What waits for a target that is not accepting images is kept, and is sent when it is back.",
        "Wohin Bilder gehen. Was auf ein gestörtes Ziel wartet, bleibt hier und wird gesendet, sobald es wieder geht.",
    ),
    # Where is my exam?
    "exam.search": ("Search", "Suche"),
    "exam.form": ("Exam", "Untersuchung"),
    "exam.number": ("Accession number", "Accession-Nummer"),
    "exam.look": ("Look", "Suchen"),
    "exam.note": (
        "The whole number, as on the order. A part of it finds nothing.",
        "Die ganze Nummer, wie auf der Anforderung. Ein Teil davon findet nichts.",
    ),
    "exam.too_long": (
        "An accession number has at most {most} characters.",
        "Eine Accession-Nummer hat höchstens {most} Zeichen.",
    ),
    "exam.too_many": (
        "Too many searches. Try again in {time}.",
        "Zu viele Suchen. Versuchen Sie es in {time} noch einmal.",
    ),
    "exam.history": (
        "The history cannot be asked just now. Images are received and delivered all the same.",
        "Die Historie kann gerade nicht gefragt werden. Bilder werden trotzdem angenommen und zugestellt.",
    ),
    "exam.shown": ("Exam {number}", "Untersuchung {number}"),
    "exam.none": ("No image of this exam has arrived here", "Von dieser Untersuchung ist hier kein Bild angekommen"),
    "exam.none.help": (
        "Either it has not been sent to this router yet, or its accession number is another one. "
        "What arrived in the last seconds may not be known yet.",
        "Entweder wurde sie noch nicht an diesen Router gesendet, oder ihre Accession-Nummer ist eine andere. "
        "Was in den letzten Sekunden ankam, ist vielleicht noch nicht bekannt.",
    ),
    "exam.unknown": ("unknown", "unbekannt"),
    "exam.counts": ("{series}, {images}", "{series}, {images}"),
    "exam.failed": (
        "{counts}: not all could be delivered, IT must look",
        "{counts}: nicht alles konnte zugestellt werden, die IT muss nachsehen",
    ),
    "exam.way": ("{counts}: on the way", "{counts}: unterwegs"),
    "exam.nowhere": ("{counts}: arrived, and sent nowhere", "{counts}: angekommen, und nirgendwohin gesendet"),
    "exam.delivered": ("{counts}: delivered", "{counts}: zugestellt"),
    "exam.targets": ("Where it is delivered to", "Wohin sie zugestellt wird"),
    "exam.part": ("{delivered} of {images} delivered", "{delivered} von {images} zugestellt"),
    "exam.series": ("Series {number}", "Serie {number}"),
    "exam.series.all": ("Its series", "Ihre Serien"),
    "exam.last": ("the last one", "das letzte"),
    "exam.arriving": (
        "Arriving, or being decided where it belongs.",
        "Kommt an, oder es wird entschieden, wohin sie gehört.",
    ),
    "exam.together": ("The study as a whole", "Die Studie als Ganzes"),
    "exam.cut": ("There are more series than are shown here.", "Es gibt mehr Serien, als hier stehen."),
    "place.target": ("to {name}", "an {name}"),
    "place.module": ("processing by {name}", "Verarbeitung durch {name}"),
    "place.study": ("waiting for the other series of its study", "wartet auf die anderen Serien ihrer Studie"),
    "place.discard": ("discarded by rule {name}", "verworfen durch Regel {name}"),
    "place.router": ("no target chosen", "kein Ziel bestimmt"),
    "why.down": (
        "{name} has not accepted images since {since}; they wait and will be sent by themselves",
        "{name} nimmt seit {since} keine Bilder an; sie warten und werden von selbst gesendet",
    ),
    "why.disabled": ("{name} is switched off; they wait", "{name} ist abgeschaltet; sie warten"),
    "why.failed": ("IT must look at them", "die IT muss nachsehen"),
    "why.held": ("held by IT until released", "von der IT angehalten, bis sie freigegeben werden"),
    "why.next": ("next try {when}", "nächster Versuch {when}"),
    "why.turn": ("wait for their turn", "warten, bis sie an der Reihe sind"),
    "why.it_knows": ("IT knows, {time}", "die IT weiß Bescheid, {time}"),
    # Alerts, in words for people who do not know the router.
    "alert.not-running": (
        "The router does not run. No image is taken or delivered.",
        "Der Router läuft nicht. Bilder werden weder angenommen noch zugestellt.",
    ),
    "alert.crash-loop": (
        "A program of the router ({object}) stops again and again. Images may be late.",
        "Ein Programm des Routers ({object}) bricht immer wieder ab. Bilder können sich verspäten.",
    ),
    "alert.service": (
        "A program of the router ({object}) does not work as it should.",
        "Ein Programm des Routers ({object}) arbeitet nicht, wie es soll.",
    ),
    "alert.outage": (
        "{object} has not accepted images since {since}.",
        "{object} nimmt seit {since} keine Bilder an.",
    ),
    "alert.outage.waiting.one": (
        "{count} series waits and will be sent by itself.",
        "{count} Serie wartet und wird von selbst gesendet.",
    ),
    "alert.outage.waiting.many": (
        "{count} series wait and will be sent by themselves.",
        "{count} Serien warten und werden von selbst gesendet.",
    ),
    "alert.outage.none": ("Nothing waits for it now.", "Im Augenblick wartet nichts darauf."),
    "alert.module": (
        "The processing {object} has not worked since {since}. What waits for it is processed later by itself.",
        "Die Verarbeitung {object} arbeitet seit {since} nicht. Was darauf wartet, wird später von selbst verarbeitet.",
    ),
    "alert.quarantine": (
        "Something that was sent cannot be read. It was kept aside, and its sender got an error.",
        "Etwas Gesendetes ist nicht lesbar. Es wurde beiseitegelegt, und der Sender bekam einen Fehler gemeldet.",
    ),
    "alert.failed": (
        "Some images could not be delivered. They are kept, and IT must look at them.",
        "Einige Bilder konnten nicht zugestellt werden. Sie sind noch da, und die IT muss nachsehen.",
    ),
    "alert.altered": (
        "Images were damaged on the router's disk. IT must look at them.",
        "Bilder wurden auf der Platte des Routers beschädigt. Die IT muss nachsehen.",
    ),
    "alert.disk": (
        "The router's disk is filling up. Images are still taken.",
        "Die Platte des Routers füllt sich. Bilder werden noch angenommen.",
    ),
    "alert.disk.critical": (
        "The router's disk is full or broken. New images are refused and stay at the scanner.",
        "Die Platte des Routers ist voll oder gestört. Neue Bilder werden abgewiesen und bleiben am Gerät.",
    ),
    "alert.history": (
        "The record of past exams is not up to date. Images are received and delivered all the same.",
        "Das Verzeichnis früherer Untersuchungen ist nicht aktuell. Bilder werden trotzdem angenommen und zugestellt.",
    ),
    "alert.configuration": (
        "The settings of the router hold a mistake. It goes on with the former ones.",
        "Die Einstellungen des Routers enthalten einen Fehler. Er arbeitet mit den vorigen weiter.",
    ),
    "alert.stuck": (
        "Some images have been waiting for unusually long.",
        "Einige Bilder warten ungewöhnlich lange.",
    ),
    "alert.silence": (
        "{object} has sent nothing since {since}. That is unusual for it.",
        "{object} hat seit {since} nichts gesendet. Das ist ungewöhnlich.",
    ),
    "alert.certificate": (
        "A certificate of the router or of a device must be renewed.",
        "Ein Zertifikat des Routers oder eines Geräts muss erneuert werden.",
    ),
    "alert.clock": ("The router's clock may be wrong.", "Die Uhr des Routers geht vielleicht falsch."),
    "alert.notification": (
        "Messages of the router do not reach everybody.",
        "Nachrichten des Routers kommen nicht bei allen an.",
    ),
    "alert.refused": (
        "A device could not send images: it was turned away.",
        "Ein Gerät konnte keine Bilder senden: Es wurde abgewiesen.",
    ),
    "alert.rule": (
        "A rule no longer applies to images of a device, and used to.",
        "Eine Regel gilt für Bilder eines Geräts nicht mehr, die bisher galt.",
    ),
    "alert.unrouted": (
        "Images of a device go nowhere, because no rule applies to them.",
        "Bilder eines Geräts gehen nirgendwohin, weil keine Regel für sie gilt.",
    ),
    "alert.loop": (
        "Images come back to the router that it has sent before.",
        "Bilder kommen zum Router zurück, die er schon gesendet hat.",
    ),
    "alert.spool": (
        "The router does not find its storage where it should be.",
        "Der Router findet seinen Speicher nicht, wo er sein soll.",
    ),
    "alert.mixed": (
        "Images that do not belong together came under one number.",
        "Bilder, die nicht zusammengehören, kamen unter einer Nummer.",
    ),
    "alert.truncated": (
        "Images came that are not whole. They were kept and delivered as they came.",
        "Es kamen Bilder, die nicht vollständig sind. Sie wurden so zugestellt, wie sie kamen.",
    ),
    "alert.audit": (
        "The hospital's audit server does not get the records of this router.",
        "Der Audit-Server des Krankenhauses bekommt die Aufzeichnungen dieses Routers nicht.",
    ),
    "alert.verify": (
        "The check that no image is lost was not made or not finished.",
        "Die Prüfung, dass kein Bild verloren ist, wurde nicht oder nicht ganz gemacht.",
    ),
    "alert.verify.critical": (
        "The check of the night misses images. IT must look.",
        "Die nächtliche Prüfung vermisst Bilder. Die IT muss nachsehen.",
    ),
    "alert.name": (
        "Another router uses the name of this one.",
        "Ein anderer Router benutzt den Namen von diesem.",
    ),
    "alert.backup": (
        "The last backup of the router is not complete.",
        "Die letzte Sicherung des Routers ist nicht vollständig.",
    ),
    "alert.other": ("IT should look at the router.", "Die IT sollte nach dem Router sehen."),
    "alert.knows": ("IT knows, {time} ({name}).", "Die IT weiß Bescheid, {time} ({name})."),
    "alert.watched": ("It has just been noticed, and may pass.", "Es fiel eben erst auf und vergeht vielleicht."),
    "alert.over": ("It seems to be over.", "Es scheint vorbei zu sein."),
    "alert.unknown": ("IT has not confirmed it yet.", "Die IT hat es noch nicht bestätigt."),
    "alert.details": ("For IT", "Für die IT"),
    # When something is wrong with the page itself.
    "away": ("The router does not answer", "Der Router antwortet nicht"),
    "away.text": (
        "This page cannot see how it is. Images may still be received and delivered.",
        "Diese Seite kann nicht sehen, wie es ihm geht. Bilder werden vielleicht weiter angenommen und zugestellt.",
    ),
    "away.todo": ("What to do", "Was zu tun ist"),
    "away.tell": (
        "If this does not pass within a minute, tell the administrator of the router that the control service does "
        "not answer. The command 'mercure status' on the router tells more.",
        "Wenn das nicht in einer Minute vergeht, sagen Sie dem Administrator des Routers, dass der Control-Dienst "
        "nicht antwortet. Der Befehl 'mercure status' auf dem Router sagt mehr.",
    ),
    "error.there_are": ("There are:", "Es gibt:"),
    "error.other": ("Not answered", "Nicht beantwortet"),
    "error.other.text": ("The request could not be answered.", "Die Anfrage konnte nicht beantwortet werden."),
    "error.400": ("Not understood", "Nicht verstanden"),
    "error.400.text": ("The request could not be understood.", "Die Anfrage ist nicht zu verstehen."),
    "error.403": ("Not allowed from here", "Von hier nicht erlaubt"),
    "error.403.text": (
        "You may not look at this page from here. Ask the administrator of the router to allow your network.",
        "Von hier dürfen Sie diese Seite nicht ansehen. Bitten Sie den Administrator des Routers, Ihr Netz zuzulassen.",
    ),
    "error.405": ("Method not allowed", "Methode nicht erlaubt"),
    "error.405.text": (
        "This page can only be looked at: GET and HEAD.",
        "Diese Seite kann nur angesehen werden: GET und HEAD.",
    ),
    "error.404": ("Not Found", "Nicht gefunden"),
    "error.404.text": ("There is no such page.", "Diese Seite gibt es nicht."),
    "error.500": ("Failed", "Fehlgeschlagen"),
    "error.500.text": (
        "The page failed to make its answer. Its log tells why.",
        "Die Seite konnte ihre Antwort nicht erstellen. Ihr Protokoll sagt, warum.",
    ),
}  # fmt: skip
"""By key; what stands in braces is filled in."""
