"""What a container engine is asked to make, and the things it knows; as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSpec:
    """One container to make. `mounts`: host path -> node path, read-only; `volume`: its /var, none takes a new one."""

    name: str
    hostname: str
    image: str
    network: str
    address: str
    labels: Mapping[str, str]
    env: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[tuple[Path, str], ...] = ()
    volume: str = ""
    nameserver: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnceSpec:
    """A container that runs `argv` and ends. `volume`: its /var; `mounts`: host path -> its path, read-only."""

    name: str
    image: str
    argv: tuple[str, ...]
    volume: str
    labels: Mapping[str, str]
    mounts: tuple[tuple[Path, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """What the engine knows. `subnets`: of a network; `detail`: state, driver, or bytes of an image with all it stands on."""

    kind: Literal["container", "network", "volume", "image"]
    name: str
    labels: Mapping[str, str]
    subnets: tuple[str, ...] = ()
    detail: str = ""
