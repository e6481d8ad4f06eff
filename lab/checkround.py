"""What is asserted after a stage: a round of checks, and what is broken on purpose where that is asked for and all is green."""

from collections.abc import Callable
from threading import Event

from lab import bed, check, disturbance, excuse, fidelity, host, hostload, inventory, looks
from lab.deadline import now_s, pausing
from lab.hostload import HostLoad
from lab.matrix import GREEN
from lab.model import RESET, Cell, CheckResult, Site, Stage


def run_all(
    cell: Cell,
    stage: Stage,
    site: Site,
    *,
    nodes: bed.Bed | None,
    engine: str,
    load: HostLoad,
    stop: Event,
    on_result: Callable[[CheckResult], None],
) -> tuple[CheckResult, ...]:
    """What is asserted of `cell` after `stage`; then, where a cell ends there and all of that is green, what is broken on purpose.

    nodes: the bed, None where no cell ends; engine: the name of its engine, if it has one; load: the host's, which may excuse a failure;
    stop: when set, it ends by KeyboardInterrupt; on_result: told each result, a second time where it is asked for again.
    """
    variables, cores = inventory.variables(stage, site), host.facts().cores
    less = fidelity.less(fidelity.limits(cell.bed, host.facts(), engine=engine, told=bed.find(cell.bed).conditions()))

    def told(result: CheckResult) -> None:
        on_result(fidelity.noted(result, less))

    def ask(names: frozenset[str]) -> tuple[CheckResult, ...]:
        only = tuple(one for one in check.everything() if not names or one.name in names)
        return looks.run_all(scope, site, on_result=told, variables=variables, checks=only, stop=stop)

    scope = check.Scope(cell=cell, on=stage.addons, cluster=stage.playbook != RESET)
    results = excuse.of_checks(ask, load, cores=cores, sleep=pausing(stop))
    results = tuple(fidelity.noted(one, less) for one in results)
    if nodes is None:
        return results
    power = nodes if isinstance(nodes, bed.Power) else None
    green, began_s = {one.outcome for one in results} <= set(GREEN), now_s()
    broken = disturbance.run_all(scope, site, power=power, green=green, on_result=told, stop=stop)
    broken = excuse.excused(broken, hostload.starved(load.since(began_s), cores=cores))  # nothing is broken on purpose twice
    return (*results, *(fidelity.noted(one, less) for one in broken))
