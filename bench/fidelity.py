"""How the replica and kubespray itself agree on the same cells: outcome, finding, and the files they render on the node.

    python bench/fidelity.py RUN_OF_THE_REPLICA RUN_OF_KUBESPRAY

Prints Markdown: a table of outcomes, and per cell each value of kube-vip's manifest and of kubeadm's configuration that differs.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

from lab import evidence, matrix
from lab.matrix import CellResult, Matrix

PROBES = ("kube-vip-manifest", "kubeadm-config")
NOT_THERE = "-"


def main() -> None:
    """Compare the cells that both runs have."""
    replica, kubespray = (Path(word) for word in sys.argv[1:3])
    ours, theirs = _by_question(matrix.read(replica)), _by_question(matrix.read(kubespray))
    both = [question for question in ours if question in theirs]
    print("| cell | replica | kubespray | same outcome and finding |\n|---|---|---|---|")
    for question in both:
        told = [f"{one.verdict.outcome.name} {one.verdict.cause}".strip() for one in (ours[question], theirs[question])]
        print(f"| `{question}` | {told[0]} | {told[1]} | {'yes' if told[0] == told[1] else '**no**'} |")
    for question in both:
        for probe in PROBES:
            texts = [_text(folder, cells[question], probe) for folder, cells in ((replica, ours), (kubespray, theirs))]
            values = [dict(_leaves(text)) for text in texts]
            differ = [path for path in sorted({*values[0], *values[1]}) if values[0].get(path) != values[1].get(path)]
            print(f"\n### `{question}`: {probe}, {len(differ)} of {len({*values[0], *values[1]})} values differ\n")
            if differ:
                print("| value | replica | kubespray |\n|---|---|---|")
            for path in differ:
                print(f"| `{path}` | {values[0].get(path, NOT_THERE)} | {values[1].get(path, NOT_THERE)} |")


def _by_question(run: Matrix) -> Mapping[str, CellResult]:
    return {result.id.removeprefix("replica-").removeprefix("kubespray-"): result for result in run.cells}


def _text(folder: Path, result: CellResult, probe: str) -> str:
    """What was rendered, with names for addresses: two runs may have had two subnets."""
    facts, context = evidence.read(folder / result.evidence / "evidence")
    text = next((fact.text for fact in facts.of(probe)), "")
    for address, name in ((context.vip, "VIP"), *((node.address, node.name) for node in context.nodes)):
        text = re.sub(rf"\b{re.escape(address)}\b", name, text)
    return text


def _leaves(text: str) -> Iterator[tuple[str, str]]:
    for document in yaml.safe_load_all(text):
        if isinstance(document, dict):
            yield from _below(str(document.get("kind", "")), document)


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
    main()
