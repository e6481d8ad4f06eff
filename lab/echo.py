"""The pods and Services that checks ask through: made once for a round of checks, removed at its end.

One pod per member answers HTTP with its name, another asks from inside; Services of every kind the addons allow lead to the former.
"""

import json
from collections.abc import Mapping

from lab.check import Answer, Said, Shared, Target

IMAGE = "localhost/spraylab/echo:2"
NAMESPACE = "default"  # one of its own would take 6 s to go away, and it must be gone before the next stage
NAME = "spraylab-echo"
CALLER = "spraylab-caller"
PORT = 8080
POLICIES = ("Cluster", "Local")
KINDS = "daemonset,deployment,service"
LABEL = "spraylab-check=true"
GONE_LIMIT_S = 15  # pods with no time of grace are gone within 2 s


def balanced(policy: str) -> str:
    """The name of the LoadBalancer Service with that externalTrafficPolicy."""
    return f"{NAME}-{policy.lower()}"


def service(name: str, **spec: object) -> Mapping[str, object]:
    """A Service to the pods that answer."""
    ports = [{"port": 80, "targetPort": PORT}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(name),
        "spec": {"selector": {"app": NAME}, "ports": ports, **spec},
    }


def manifest(on: tuple[str, ...]) -> str:
    """All of it as JSON. on: the addons that are on, for nobody gives addresses without metallb."""
    items = [
        {
            "apiVersion": "apps/v1",
            "kind": "DaemonSet",
            "metadata": _metadata(NAME),
            "spec": {"selector": {"matchLabels": {"app": NAME}}, "template": _pod(NAME)},
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": _metadata(CALLER),
            "spec": {"replicas": 1, "selector": {"matchLabels": {"app": CALLER}}, "template": _pod(CALLER)},
        },
        service(NAME, type="NodePort"),
    ]
    if "metallb" in on:
        items += [service(balanced(policy), type="LoadBalancer", externalTrafficPolicy=policy) for policy in POLICIES]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def call(target: Target, verb: str, what: str) -> Said:
    """What the caller gets: `get` a URL or `resolve` a name, from inside its pod."""
    return target.kubectl("-n %s exec deploy/%s -- /echo %s %s", NAMESPACE, CALLER, verb, what)


def of_service(target: Target, path: str, *, name: str = NAME) -> str:
    """The field `path` (`{.spec.clusterIP}`) of a Service; empty when it has none. Raises RuntimeError when it cannot be asked."""
    return _asked(target, "-n %s get service %s -o jsonpath=%s", NAMESPACE, name, path)


def pods(target: Target) -> Mapping[str, str]:
    """Name -> address of the pods that answer; empty for one that has none yet. Raises RuntimeError when they cannot be asked for."""
    found = json.loads(_asked(target, "-n %s get pods -l %s -o json", NAMESPACE, f"app={NAME}"))
    return {pod["metadata"]["name"]: pod["status"].get("podIP", "") for pod in found["items"]}


def _asked(target: Target, command: str, *args: str) -> str:
    done = target.kubectl(command, *args)
    if done.rc != 0:
        raise RuntimeError(done.text)
    return done.out


def _make(target: Target) -> Answer:
    done = target.kubectl("apply -f -", stdin=manifest(target.scope.on))
    return Answer(ok=done.rc == 0, said=done.text)


def _remove(target: Target) -> Answer:
    done = target.kubectl(
        "-n %s delete %s -l %s --cascade=foreground --timeout=%s", NAMESPACE, KINDS, LABEL, f"{GONE_LIMIT_S * target.site.pace:.0f}s"
    )
    return Answer(ok=done.rc == 0, said=done.text or f"kubectl ended with {done.rc}")


def _metadata(name: str) -> Mapping[str, object]:
    return {"name": name, "namespace": NAMESPACE, "labels": _label()}


def _label() -> Mapping[str, str]:
    name, _, value = LABEL.partition("=")
    return {name: value}


def _pod(name: str) -> Mapping[str, object]:
    container = {"name": "echo", "image": IMAGE, "imagePullPolicy": "Never", "ports": [{"containerPort": PORT}]}
    spec = {"terminationGracePeriodSeconds": 0, "tolerations": [{"operator": "Exists"}], "containers": [container]}
    return {"metadata": {"labels": {"app": name, **_label()}}, "spec": spec}


ECHO = Shared(make=_make, remove=_remove)
