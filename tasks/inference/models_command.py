"""`safelight models`: what reads in a lake, which versions there were, what each said of a study, and faster ways compared."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.table import Table

from tasks.console import DONE, INCOMPLETE, console, one_sentence, progress, say
from tasks.errors import ConfigurationError
from tasks.guard import ErrorLog, boundary, seal
from tasks.inference import registry
from tasks.inference.bundle import load
from tasks.inference.command import Device, Threads
from tasks.inference.equivalence import LIMITS, Limits, comparable, compare, prepared, publish
from tasks.inference.execution import Execution, variant_of
from tasks.inference.reader import open_reader
from tasks.lake import Lake
from tasks.stage import Outcome

#: Why a version may be what a bare name means.
_BY = {
    "first": "the first version of this name",
    "verdict": "it has a passing verdict",
    "rollback": "it goes back to a version of before",
}

LakeOption = Annotated[str, typer.Option("--lake", help="The lake: a folder or an s3:// URL.", show_default=False)]


def listed(lake: LakeOption) -> None:
    """Every model version that the lake holds, and which one a bare name means.

    Example: safelight models list --lake lake
    """
    with one_sentence():
        table = Table("model", "version", "current", "weights", "manifest")
        for each in registry.registered(Lake.open(lake)):
            table.add_row(
                each.name, each.version, "yes" if each.current else "", each.weights_sha256[:12], each.manifest_sha256[:12]
            )
        console.print(table)


def show(model: Annotated[str, typer.Argument(help="NAME, NAME@VERSION, or a path with a slash.")], lake: LakeOption) -> None:
    """What is said of a model: its manifest, checked.

    Example: safelight models show demo_nodule --lake lake
    """
    with one_sentence():
        bundle = registry.find(Lake.open(lake), model)
        say((bundle.folder / "manifest.yaml").read_text("utf-8").rstrip())
        say(f"manifest_sha256: {bundle.manifest_sha256}")
        say(f"preprocessing_sha256: {bundle.preprocessing_sha256}")


def add(
    bundle: Annotated[str, typer.Argument(help="A folder with manifest.yaml and weights, or a shipped model's name.")],
    lake: LakeOption,
    promote: Annotated[bool, typer.Option(help="Let the bare name mean this version, as `models promote` does.")] = False,
) -> None:
    """Keep a model version in the lake, for good.

    Example: safelight models add ./my_model --lake lake --promote
    """
    with one_sentence():
        opened, where = load(Path(bundle) if "/" in bundle or Path(bundle).is_dir() else bundle), Lake.open(lake)
        new = registry.register(where, opened)
        say(f"{opened.label}: {'registered' if new else 'was registered already'}")
        if promote:
            made = registry.promote(where, opened.manifest.name, opened.manifest.version)
            say(f"{opened.manifest.name} means {made.version} ({_BY[made.by]})")


def promote(model: Annotated[str, typer.Argument(help="NAME@VERSION of a registered version.")], lake: LakeOption) -> None:
    """Let a bare name mean a registered version from now on: one with a passing verdict of `safelight pccp`, or one it meant before.

    Example: safelight models promote demo_nodule@1.0.1 --lake lake
    """
    with one_sentence():
        name, _, version = model.partition("@")
        made = registry.promote(Lake.open(lake), name, version)
        say(f"{name} means {made.version} ({_BY[made.by]})")


def history(name: Annotated[str, typer.Argument(help="A model's NAME.")], lake: LakeOption) -> None:
    """Which versions a bare name has meant, in order, and what let each of them.

    Example: safelight models history demo_nodule --lake lake
    """
    with one_sentence():
        table = Table("version", "by", "change plan", "weights", "manifest")
        for each in registry.promotions(Lake.open(lake), name):
            table.add_row(each.version, each.by, each.plan_sha256[:12], each.weights_sha256[:12], each.manifest_sha256[:12])
        console.print(table)


def verify(lake: LakeOption) -> None:
    """Check every byte of every registered version.

    Example: safelight models verify --lake lake
    """
    with one_sentence():
        where, bad = Lake.open(lake), 0
        for each in registry.registered(where):
            try:
                registry.verify(where, each.name, each.version)
                say(f"ok   {each.name}@{each.version}")
            except ConfigurationError as error:
                bad += 1
                say(f"BAD  {error}")
        raise typer.Exit(INCOMPLETE if bad else DONE)


def readings(
    config: Annotated[Path, typer.Option(help="The site's configuration.", envvar="SAFELIGHT_CONFIG", show_default=False)],
    study: Annotated[str | None, typer.Option(help="A study's key; all studies without it.")] = None,
    model: Annotated[str | None, typer.Option(help="NAME or NAME@VERSION; all models without it.")] = None,
) -> None:
    """Which version read which study, when, and with what result: every reading that there ever was, from the ledger.

    Example: safelight models readings --config site.yaml --model demo_nodule
    """
    from tasks.ledger_history import said
    from tasks.site import open_site

    with one_sentence():
        site = open_site(str(config.absolute()))
        zone = ZoneInfo(site.settings.timezone)
        table = Table("study", "model", "when", "result", "weights", "preprocessing", "code")
        for row in said(site.ledger, "infer:" + (model or ""), study):
            told = json.loads(row["said"])
            scores = ", ".join(f"{name} {'read' if score is None else f'{score:.4f}'}" for name, score in told["scores"].items())
            hashes = [told[f"{name}_sha256"][:12] for name in ("weights", "preprocessing", "code")]
            when = datetime.fromtimestamp(row["at"], zone).isoformat(timespec="seconds")
            table.add_row(row["study_key"], row["stage"].partition(":")[2], when, scores or told["reason_code"], *hashes)
        console.print(table)


def compare_variants(
    model: Annotated[str, typer.Argument(help="NAME, NAME@VERSION, or a path with a slash.")],
    lake: LakeOption,
    variant: Annotated[str, typer.Option(help="whole, bf16, channels_last, joined by +.", show_default=False)],
    cases: Annotated[int, typer.Option(min=1, help="Volumes of the lake that both ways read.")] = 20,
    device: Device = "cpu",
    threads: Threads = 1,
    score: Annotated[float, typer.Option(min=0, max=1, help="Largest difference of a score.")] = LIMITS.score,
    disagreement: Annotated[
        float, typer.Option(min=0, max=1, help="Largest share of voxels with another label.")
    ] = LIMITS.disagreement,
    dice: Annotated[float, typer.Option(min=0, max=1, help="Smallest Dice coefficient of a finding.")] = LIMITS.dice,
) -> None:
    """Does a faster way say what the reference says? The report is kept with the model; without a good one, the way is not used.

    Example: safelight models compare demo_nodule --lake lake --variant bf16
    """
    with one_sentence():
        errors = ErrorLog.default()
        seal(errors)
        with boundary("models compare", errors):
            where = Lake.open(lake)
            bundle = registry.find(where, model)
            registry.register(where, bundle)
            how = Execution(device, threads, variant_of(variant))
            limits = Limits(score=score, disagreement=disagreement, dice=dice)
            reference, faster = open_reader(bundle, Execution(device, threads)), open_reader(bundle, how)
            chosen = comparable(where, bundle, cases)
            with progress(f"compare {bundle.label}", len(chosen)) as advance:
                inputs = prepared(where, reference, chosen, after=lambda key: advance(key, Outcome("done")))
                found = compare(reference, faster, inputs, bundle)
            said = publish(where, bundle, how, found, limits, [str(row["path"]) for row in chosen])
        say(json.dumps(said["differences"]))
        say(f"{bundle.label}, {how.variant_name} on {device}: {'equivalent' if said['equivalent'] else 'NOT equivalent'}")
        raise typer.Exit(DONE if said["equivalent"] else INCOMPLETE)
