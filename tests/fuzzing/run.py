"""Runs mutants through the public stage in a process of its own: `python -m tests.fuzzing.run FOLDER FIRST LAST`; prints one JSON object.

Every seventh mutant is alone in its study; of the others, ten of as many kinds share one, so that one study's proof has to see through
what the others did. A study that takes longer than `STUDY_SECONDS` has hung. The search for planted identifiers is this module's own.
"""

from __future__ import annotations

import argparse
import json
import logging
import resource
import signal
import sys
import time
import warnings
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from random import Random
from types import FrameType

import numpy as np
from pydicom import config, dcmread

from tasks.deid import quarantine
from tasks.deid.burned_in.searching import lines
from tasks.deid.folder import take_in
from tasks.deid.stage import DeidentifyStage
from tasks.errors import catalogue
from tasks.lake import Lake
from tasks.ledger import Ledger
from tasks.stage import fingerprint
from tasks.vault import Vault
from tests.fuzzing.mutations import MUTATIONS, bomb
from tests.fuzzing.seeds import PLANTED, SYNTAXES, seed

STUDY_SECONDS = 10.0
INTAKE_SECONDS = 120.0
#: Parts of identifiers: what a mutation cut in two is searched for by halves.
PARTS = sorted({part.casefold() for word in PLANTED for part in (word, word[:6], word[-6:]) if not part.replace(".", "").isdigit()} | {
    word.casefold() for word in PLANTED
})  # fmt: skip


class Hung(BaseException):
    """A study took too long; no handler of exceptions may catch it."""


@contextmanager
def limit(seconds: float) -> Iterator[None]:
    """Raise Hung when the work inside takes more of a processor's time; what waits for ever, the caller's own limit ends."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Hung

    signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def mutant(number: int) -> tuple[str, str, bytes]:
    """The kind, the syntax and the bytes of a mutant: the same for the same number on any day."""
    chance = Random(f"mutant {number}")
    kind, syntax = list(MUTATIONS)[number % len(MUTATIONS)], list(SYNTAXES)[number // len(MUTATIONS) % len(SYNTAXES)]
    content = seed(syntax, number if number % 7 == 0 else 70_000 + number // 10, number)
    return kind, syntax, MUTATIONS[kind](content, chance)


def leaks(content: bytes) -> list[str]:
    """Parts of planted identifiers in a released file: in its bytes, in what they inflate to, and decoded."""
    texts = [content.lower()]
    end = 144 + int.from_bytes(content[140:144], "little")
    with suppress(zlib.error):  # most files are not deflated
        texts.append(zlib.decompressobj(-zlib.MAX_WBITS).decompress(content[end:], 1 << 26).lower())
    found = {
        part for part in PARTS for text in texts for code in ("utf-8", "utf-16-le", "utf-16-be") if part.encode(code) in text
    }
    with warnings.catch_warnings(), config.disable_value_validation():
        warnings.simplefilter("ignore")
        dataset = dcmread(BytesIO(content))
        said = "\n".join(str(element.value) for element in dataset.iterall() if element.VR != "SQ").casefold()
    return sorted(found | {part for part in PARTS if part in said})


def peak_mib() -> int:
    """The most memory this process has held since it began; getrusage would count the parent's, from before the exec, too."""
    [peak] = [line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:")]
    return int(peak) // 1024


def run(folder: Path, contents: dict[str, bytes]) -> dict[str, object]:
    """Take files in, de-identify every study, search what is released. Names of files are kept out of the result but for those that fail."""
    source = folder / "source"
    source.mkdir(parents=True)
    for name, content in contents.items():
        (source / name).write_bytes(content)
    vault, lake = Vault.open(folder / "vault"), Lake.open(folder / "lake")
    ledger = Ledger(vault.ledger_url)
    with limit(INTAKE_SECONDS), ledger.run("fuzz") as session:
        intake = take_in(source, vault=vault, ledger=ledger, run=session)
    ledger.close()
    stage, codes, hung, odd, slowest = DeidentifyStage(vault, lake, "safe_harbor"), Counter[str](), [], [], 0.0
    linked = released = 0
    lines(np.arange(4096, dtype=np.uint8).reshape(64, 64), 0.5)  # the detector is loaded once a process, and belongs to no study
    for key in intake.keys:
        files = sorted((vault.spool / key).glob("*/*.dcm"))
        linked += len(files)
        begun = time.monotonic()
        try:
            with limit(STUDY_SECONDS):
                outcome = stage.run(key, "", fingerprint(stage, ""))
        except Hung:
            hung.append([file.resolve().name for file in files])
            continue
        except Exception as error:  # noqa: BLE001 - a crash of the stage is what is looked for
            odd.append([type(error).__name__, *(file.resolve().name for file in files)])
            continue
        slowest = max(slowest, time.monotonic() - begun)
        held = quarantine.read(vault, key)
        released += outcome.passed
        codes.update(held.values())
        if outcome.passed + len(held) != len(files) or sum(count.n for count in outcome.tally) != len(files):
            odd.append(["counts", *(file.resolve().name for file in files)])
    leaking = {name: parts for name in lake.files("dicom") if (parts := leaks(lake.read(name)))}
    origins = {link.name: link.resolve().name for link in vault.spool.glob("*/*/*.dcm")}
    return {
        "files": len(contents), "ends": {f"{end} {code}".strip(): n for (end, code), n in sorted(intake.files.items())}, "linked": linked,
        "released": released, "quarantined": dict(sorted(codes.items())), "undeclared": sorted(set(codes) - set(catalogue())), "hung": hung,
        "odd": odd, "leaks": {origins.get(name.split("/")[-1], "?"): parts for name, parts in leaking.items()},
        "studies": len(intake.keys), "slowest_study": round(slowest, 2), "in_lake": len(lake.files("dicom")),
        "peak_mib": peak_mib(),
    }  # fmt: skip


def main() -> None:
    """Mutants FIRST to LAST, or, with --bomb, one file that inflates to so many MiB beside a sound one."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("first", type=int)
    parser.add_argument("last", type=int)
    parser.add_argument("--bomb", type=int, default=0)
    parser.add_argument("--memory", type=int, default=0, help="address space, MiB")
    given = parser.parse_args()
    logging.disable()
    if given.memory:
        resource.setrlimit(resource.RLIMIT_AS, (given.memory << 20, given.memory << 20))
    if given.bomb:
        contents = {"bomb.dcm": bomb(seed("explicit", 1, 1), given.bomb << 20), "sound.dcm": seed("explicit", 2, 2)}
    else:
        contents = {f"{number:05d}-{kind}-{syntax}.dcm".replace(" ", "-"): content
                    for number in range(given.first, given.last) for kind, syntax, content in [mutant(number)]}  # fmt: skip
    begun = time.monotonic()
    result = run(given.folder, contents)
    result["seconds"] = round(time.monotonic() - begun, 1)
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
