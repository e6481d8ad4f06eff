"""How the replica and kubespray itself agree on the same cells: outcome, finding, checks, and what they render on the node.

    python bench/fidelity.py RUN_OF_THE_REPLICA RUN_OF_KUBESPRAY [--values PROBE]...

Prints Markdown: the agreement of every cell that both runs have, what only one of them has, how many values agree per cell and file, and,
per cell, each value that differs: of kube-vip's manifest, kubeadm's and kubelet's configuration, and the objects of Cilium and MetalLB.
"""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click
import yaml

from lab import evidence, matrix
from lab.errors import ScenarioError
from lab.matrix import CellResult, Matrix

PROBES = ("kube-vip-manifest", "kubeadm-config", "kubelet-config", "cilium-objects", "metallb-objects", "pools")
NOT_THERE = "-"
# What the cluster itself writes into an object, and what two installations never share.
OF_THE_CLUSTER = {"status", "uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "clusterIP", "clusterIPs"}
ANNOTATIONS = re.compile(r"^(kubectl\.kubernetes\.io/|deprecated\.|deployment\.kubernetes\.io/|meta\.helm\.sh/)")
RANDOM = re.compile(r"\b([0-9a-f]{64}|[a-z0-9]{6}\.[a-z0-9]{16})\b")  # keys and tokens


@click.command()
@click.argument("replica", type=click.Path(exists=True, path_type=Path))
@click.argument("kubespray", type=click.Path(exists=True, path_type=Path))
@click.option("--values", "shown", multiple=True, type=click.Choice(PROBES), help="Values of these alone; default: all.")
def main(replica: Path, kubespray: Path, *, shown: Sequence[str]) -> None:
    """Compare the cells that both runs have."""
    ours, theirs = _by_question(matrix.read(replica)), _by_question(matrix.read(kubespray))
    both = [question for question in ours if question in theirs]
    _agreement(ours, theirs, both)
    compared = {
        (question, probe): [_values(folder, cells[question], probe) for folder, cells in ((replica, ours), (kubespray, theirs))]
        for question in both
        for probe in shown or PROBES
    }
    _counts(compared)
    for (question, probe), values in compared.items():
        _differences(question, probe, values)


def _agreement(ours: Mapping[str, CellResult], theirs: Mapping[str, CellResult], both: Sequence[str]) -> None:
    print("| cell | replica | kubespray | links of the chain | checks that differ | the same |\n|" + "---|" * 6)
    for question in both:
        pair = ours[question], theirs[question]
        told = [f"{one.verdict.outcome.name} {one.verdict.cause}".strip() for one in pair]
        links = [sum(len(found.chain) for found in one.verdict.findings[:1]) for one in pair]
        checks = _checks_that_differ(*pair)
        seconds = [f"{one.verdict_after_s or one.duration_s:.0f} s" for one in pair]
        same = "yes" if told[0] == told[1] and not checks else "**no**"
        print(
            f"| `{question}` | {told[0]}, {seconds[0]} | {told[1]}, {seconds[1]} | {links[0]} and {links[1]}"
            f" | {', '.join(checks) or 'none'} | {same} |"
        )
    for name, only in (("replica", ours.keys() - theirs.keys()), ("kubespray", theirs.keys() - ours.keys())):
        if only:
            print(f"\nRun by the {name} alone: {', '.join(f'`{one}`' for one in sorted(only))}")


def _checks_that_differ(ours: CellResult, theirs: CellResult) -> list[str]:
    """Checks of both that did not end alike, by their worst outcome; a cell that has none was not checked."""
    worst = [
        {one.check: max(other.outcome for other in cell.checks if other.check == one.check) for one in cell.checks}
        for cell in (ours, theirs)
    ]
    names = sorted(worst[0].keys() & worst[1].keys())
    return [f"{name} ({worst[0][name].name}, {worst[1][name].name})" for name in names if worst[0][name] is not worst[1][name]]


def _counts(compared: Mapping[tuple[str, str], Sequence[Mapping[str, str]]]) -> None:
    print("\n| cell | file or objects | values | the same | differ | replica only | kubespray only |\n|" + "---|" * 7)
    for (question, probe), (ours, theirs) in compared.items():
        if ours or theirs:
            shared = ours.keys() & theirs.keys()
            same = sum(ours[path] == theirs[path] for path in shared)
            figures = (len(ours.keys() | theirs.keys()), same, len(shared) - same, len(ours) - len(shared), len(theirs) - len(shared))
            print(f"| `{question}` | {probe} | {' | '.join(map(str, figures))} |")


def _differences(question: str, probe: str, values: Sequence[Mapping[str, str]]) -> None:
    differ = [path for path in sorted({*values[0], *values[1]}) if values[0].get(path) != values[1].get(path)]
    if differ:
        print(f"\n### `{question}`: {probe}, {len(differ)} values differ\n\n| value | replica | kubespray |\n|---|---|---|")
    for path in differ:
        print(f"| `{path}` | {_cell(values[0].get(path))} | {_cell(values[1].get(path))} |")


def _cell(value: str | None) -> str:
    return NOT_THERE if value is None else value.replace("|", "\\|").replace("\n", " ")


def _by_question(run: Matrix) -> Mapping[str, CellResult]:
    return {result.id.removeprefix("replica-").removeprefix("kubespray-"): result for result in run.cells}


def _values(folder: Path, result: CellResult, probe: str) -> Mapping[str, str]:
    """Path -> text of every value of what was rendered, with names for addresses: two runs may have had two subnets."""
    try:
        facts, context = evidence.read(folder / result.evidence / "evidence")
    except ScenarioError:
        return {}  # the cell broke before there was anything to read
    text = next((fact.text for fact in facts.of(probe)), "")
    for address, name in ((context.vip, "VIP"), *((node.address, node.name) for node in context.nodes)):
        text = re.sub(rf"\b{re.escape(address)}\b", name, text)
    try:
        documents = list(yaml.safe_load_all(RANDOM.sub("RANDOM", text)))
    except yaml.YAMLError:
        return {}  # nothing was rendered, and the probe said so in words
    return dict(_leaves(documents))


def _leaves(documents: Sequence[object]) -> Iterator[tuple[str, str]]:
    kinds: list[str] = []
    for document in documents:
        if not isinstance(document, dict):
            continue
        if document.get("kind") == "List":
            for item in document.get("items") or []:
                yield from _below(f"{item.get('kind', '')}/{item.get('metadata', {}).get('name', '')}", _settled(item))
            continue
        kinds.append(kind := str(document.get("kind", "")))
        yield from _below(kind if kinds.count(kind) == 1 else f"{kind}#{kinds.count(kind)}", document)


def _settled(value: object) -> object:
    """An object without what the cluster itself writes into it."""
    if isinstance(value, dict):
        return {key: _settled(one) for key, one in value.items() if key not in OF_THE_CLUSTER and not ANNOTATIONS.match(str(key))}
    return [_settled(one) for one in value] if isinstance(value, list) else value


def _below(path: str, value: object) -> Iterator[tuple[str, str]]:
    """Path and text of every value that holds no other; things of a list that have a name go by it, the others by their text."""
    if isinstance(value, dict) and value:
        for key, one in value.items():
            yield from _below(f"{path}.{key}", one)
    elif isinstance(value, list) and value:
        for one in value:
            if isinstance(one, dict) and "name" in one:
                yield from _below(f"{path}[{one['name']}]", {key: other for key, other in one.items() if key != "name"} or "there")
            elif isinstance(one, dict):
                yield from _below(f"{path}[]", one)
            else:
                yield f"{path}[{one}]", "there"
    else:
        yield path, f"`{value}`"


if __name__ == "__main__":
    sys.exit(main())
