"""An engine in this process, and the children that are forked from it: one program tries every way."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import json, multiprocessing, os, sys, time
import ferserve

FRAME = ferserve.Frame(1, ferserve.RawImage(ferserve.PixelFormat.GRAY8, 64, 48, bytes(64 * 48)))
CONFIG = ferserve.EngineConfig(model="brightness", model_dir=sys.argv[1], threads=2)
TOLD = {}


def forked(name, work):
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            work()
            os.write(write, b"done")
        except ferserve.FerserveError as error:
            os.write(write, str(error).encode())
        sys.exit(0)
    os.close(write)
    for _ in range(300):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            break
        time.sleep(0.1)
    else:
        os.kill(pid, 9)
        _, status = os.waitpid(pid, 0)
    TOLD[name] = status, os.read(read, 65536).decode()
    os.close(read)


def of_its_own():
    with ferserve.LocalClient(CONFIG) as own:
        assert own.classify(FRAME.payload).ok


def in_a_pool(_):
    try:
        client.classify(FRAME.payload)
    except ferserve.FerserveError as error:
        return str(error)


client = ferserve.LocalClient(CONFIG)
engine = ferserve.Engine(CONFIG)
stream = engine.open_stream()
results = client.stream((FRAME.payload for _ in range(4)), fps=30)
next(results)
stream.submit(FRAME).result()

forked("untouched", lambda: None)
forked("classify", lambda: client.classify(FRAME.payload))
forked("stream", lambda: next(client.stream([FRAME.payload], fps=30)))
forked("next of an open stream", lambda: next(results))
forked("close of an open stream", results.close)
forked("engine", lambda: engine.classify(FRAME))
forked("engine stream", lambda: stream.submit(ferserve.Frame(2, FRAME.payload)))
forked("close", lambda: (client.close(), stream.close(), engine.close()))
forked("of its own", of_its_own)
with multiprocessing.get_context("fork").Pool(2) as pool:
    TOLD["pool"] = 0, pool.map(in_a_pool, [0])[0]

assert len(list(results)) == 3
assert stream.submit(ferserve.Frame(2, FRAME.payload)).result().ok
assert client.classify(FRAME.payload).ok
stream.close()
engine.close()
client.close()
print(json.dumps(TOLD))
"""

GUARDED = {
    "classify": "client",
    "stream": "client",
    "next of an open stream": "client",
    "engine": "engine",
    "engine stream": "engine",
    "pool": "client",
}


@pytest.mark.timeout(120)
def test_a_forked_child_gets_an_error_and_ends_and_its_parent_goes_on(model_dir: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, str(model_dir)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert {status for status, _ in told.values()} == {0}
    for name in ("untouched", "close of an open stream", "close", "of its own"):
        assert told.pop(name)[1] == "done"
    assert told.keys() == GUARDED.keys()
    for name, what in GUARDED.items():
        message = told[name][1]
        assert message.startswith(f"{what} must be used in the process that made it"), name
        assert f"make the {what} after the fork" in message
