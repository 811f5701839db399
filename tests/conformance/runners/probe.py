#!/usr/bin/python3 -I
"""A module that does what its first argument says, good or bad. It needs nothing but Python."""

import ctypes
import json
import os
import shutil
import signal
import socket
import sys
import time
from pathlib import Path

IN, OUT = Path(os.environ["MERCURE_IN_DIR"]), Path(os.environ["MERCURE_OUT_DIR"])
MEBIBYTE = 1024 * 1024


def copy() -> None:
    """Hand the inputs on, as a well-behaved module does, and report."""
    for path in sorted(IN.glob("*.dcm")):
        shutil.copyfile(path, OUT / path.name)
    (OUT / "result.json").write_text(json.dumps({"images": len(list(IN.glob("*.dcm")))}), encoding="utf-8")


def end() -> None:
    """End with an exit code."""
    os.write(1, f"ending with {sys.argv[2]}\n".encode())
    sys.exit(int(sys.argv[2]))


def hang() -> None:
    """Never end, and say when it has begun."""
    (OUT / "begun").touch()
    while True:
        time.sleep(60)


def deaf() -> None:
    """Never end, not even when asked to."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    hang()


def polite() -> None:
    """End when asked to, after tidying up."""

    def tidy(_number: int, _frame: object) -> None:
        (OUT / "tidied").touch()
        sys.exit(0)

    signal.signal(signal.SIGTERM, tidy)
    hang()


def suicide() -> None:
    """Be killed. A first process of a namespace cannot send itself KILL, so a child of it is the module then."""
    child = os.fork()
    if child == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    _pid, status = os.waitpid(child, 0)
    sys.exit(128 + os.WTERMSIG(status))


def wait() -> None:
    """Go on until a file appears among the inputs, then hand them on."""
    (OUT / "begun").touch()
    while not (IN / "go").exists():
        time.sleep(0.02)
    copy()


def shout() -> None:
    """Print so many mebibytes, numbered."""
    os.write(1, b"the first line\n")
    line = ("x" * 1023 + "\n").encode()
    for _ in range(int(sys.argv[2]) * 1024):
        os.write(1, line)
    os.write(1, b"the last line\n")


def speak() -> None:
    """Print on both streams, one line without its end."""
    os.write(1, "to the output: ä\n".encode())
    os.write(2, b"to the errors\n")
    os.write(1, b"without an end")


def fill() -> None:
    """Write so many mebibytes into one file."""
    with open(OUT / "large.dcm", "wb") as large:
        for _ in range(int(sys.argv[2])):
            large.write(b"\0" * MEBIBYTE)


def eat() -> None:
    """Use so many mebibytes of memory, and hold them."""
    held = []
    for _ in range(int(sys.argv[2])):
        held.append(os.urandom(MEBIBYTE))
    (OUT / "begun").touch()
    time.sleep(60)


def pile() -> None:
    """Write so many mebibytes into files that are memory, in several places, and hold some beside them."""
    for place in sys.argv[3:]:
        for number in range(int(sys.argv[2])):
            Path(place, str(number)).write_bytes(b"x" * MEBIBYTE)
    eat()


def parallel() -> None:
    """Share so many mebibytes with four processes, as Python's multiprocessing does, and hold them for a while."""
    from multiprocessing import get_context, shared_memory  # noqa: PLC0415 - the others need none of it

    block = shared_memory.SharedMemory(create=True, size=int(sys.argv[2]) * MEBIBYTE)
    buffer = block.buf
    assert buffer is not None
    buffer[:] = b"x" * block.size
    context = get_context("fork")
    ready, over = context.Semaphore(0), context.Event()

    def work() -> None:
        sum(buffer[::4096])
        ready.release()
        over.wait(60)

    workers = [context.Process(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for _ in workers:
        ready.acquire()
    time.sleep(2)  # it is looked at twice a second
    over.set()
    for worker in workers:
        worker.join()
    buffer.release()
    block.close()
    block.unlink()
    copy()


def nameless() -> None:
    """Hold so many mebibytes in files that have no name, open ones and ones that are only mapped."""
    import mmap  # noqa: PLC0415

    held: list[object] = []
    for number in range(int(sys.argv[2]) // 8):
        descriptor = os.memfd_create(f"held {number}")
        os.write(descriptor, b"x" * 8 * MEBIBYTE)
        if number % 2:
            mapped = mmap.mmap(descriptor, 8 * MEBIBYTE)
            mapped[:] = b"y" * 8 * MEBIBYTE
            held.append(mapped)
            os.close(descriptor)
    (OUT / "begun").touch()
    time.sleep(float(sys.argv[3]))
    copy()


def share() -> None:
    """Use so many mebibytes in each of eight processes: each within the limit, all together not."""
    for _ in range(8):
        if os.fork() == 0:
            eat()
    time.sleep(60)


def fork() -> None:
    """Start processes until no more can be started, and say how many that were."""
    children = 0
    try:
        while children < 2000:
            if os.fork() == 0:
                time.sleep(30)
                os._exit(0)
            children += 1
    except OSError:
        pass
    (OUT / "children").write_text(str(children), encoding="utf-8")
    os.killpg(0, signal.SIGKILL) if os.getpid() != 1 else sys.exit(0)


def orphan() -> None:
    """Leave a process behind that would write for ever."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for name in range(10**9):
                (OUT / "pulse").write_text(str(name), encoding="utf-8")
                time.sleep(0.01)
        os._exit(0)
    while not (OUT / "pulse").exists():
        time.sleep(0.01)


def beat() -> None:
    """Write for ever."""
    for name in range(10**9):
        (OUT / "next").write_text(str(name), encoding="utf-8")
        (OUT / "next").replace(OUT / "pulse")
        time.sleep(0.005)


def escape() -> None:
    """Try every way out that is known to us, and write down what came of each."""
    os.symlink("/etc/passwd", OUT / "link.dcm")
    libc = ctypes.CDLL(None, use_errno=True)
    attempts = {
        "write beside the folders": (OUT.parent / "escaped").touch,
        "write to the root": lambda: Path("/escaped").touch(),
        "write to the programs": lambda: Path("/usr/escaped").touch(),
        "change an input": lambda: next(IN.glob("*.dcm")).open("ab").write(b"x"),
        "remove an input": lambda: next(IN.glob("*.dcm")).unlink(),
        "add an input": (IN / "escaped").touch,
        "link to an input": lambda: os.link(next(IN.glob("*.dcm")), OUT / "hard.dcm"),
        "become somebody": lambda: os.setuid(12345),
        "make a device": lambda: os.mknod(OUT / "device", 0o600 | 0o020000, os.makedev(1, 8)),
        "change the root": lambda: os.chroot(OUT),
        "make a user namespace": lambda: system_call(libc.unshare, 0x10000000),
        "make memory that nobody counts": lambda: os.close(os.memfd_create("x")),
        "make memory of System V": lambda: system_call(lambda: libc.shmget(0, 4096, 0o1600) + 1 == 0),
        "look into another process": lambda: system_call(libc.ptrace, 16, os.getppid(), 0, 0),
        "type into a terminal": lambda: system_call(libc.ioctl, 0, 0x5412, b"x"),
        "change the name of the machine": lambda: socket.sethostname("escaped"),
        "reach the network": lambda: socket.create_connection(("192.0.2.1", 80), timeout=1),
        "reach the machine": lambda: socket.create_connection(("127.0.0.1", int(sys.argv[2])), timeout=1),
    }
    (OUT / "escapes.json").write_text(json.dumps({name: attempt(do) for name, do in attempts.items()}))


def system_call(call: object, *arguments: object) -> None:
    """Call the library, and raise what it says is wrong."""
    if call(*arguments):  # type: ignore[operator]
        raise OSError(ctypes.get_errno(), "refused")


def attempt(do: object) -> str:
    """Say "done", or the name of the error."""
    try:
        do()  # type: ignore[operator]
    except OSError as error:
        return type(error).__name__
    return "done"


def facts() -> None:
    """Write down what the module sees."""
    status = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
    named = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs")
    found: dict[str, object] = {
        "environment": dict(os.environ),
        "arguments": sys.argv[2:],
        "status": {name: int(status[name], 16) for name in named},
        "interfaces": [name for _number, name in socket.if_nameindex()],
        "processes": [name for name in os.listdir("/proc") if name.isdigit()],
        "inputs": sorted(os.listdir(IN)),
        "descriptors": [
            os.readlink(f"/proc/self/fd/{name}")
            for name in os.listdir("/proc/self/fd")
            if int(name) > 2 and os.path.exists(f"/proc/self/fd/{name}")
        ],
        "cores": len(os.sched_getaffinity(0)),
        "seen": {name: os.path.exists(name) for name in sys.argv[2:]},
    }
    writable: dict[str, str] = {}
    found["writable"] = writable
    for name in sys.argv[2:]:
        if os.path.isdir(name):
            writable[name] = attempt(lambda place=name: (Path(place) / "written").touch())
    (OUT / "facts.json").write_text(json.dumps(found), encoding="utf-8")


WAYS = {
    way.__name__: way
    for way in (
        copy,
        end,
        beat,
        hang,
        deaf,
        polite,
        suicide,
        wait,
        shout,
        speak,
        fill,
        eat,
        pile,
        parallel,
        nameless,
        share,
        fork,
        orphan,
        escape,
        facts,
    )
}

if __name__ == "__main__":
    WAYS[sys.argv[1]]()
