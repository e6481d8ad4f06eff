"""The errors of the lab, by who must act. A broken product is a verdict, never one of these."""


class LabError(Exception):
    """Says what went wrong, why, and what to do about it."""

    def __init__(self, what: str, why: str, fix: str) -> None:
        super().__init__(what, why, fix)

    def __str__(self) -> str:
        return "{}\n  why: {}\n  fix: {}".format(*self.args)


class ScenarioError(LabError):
    """The scenario file or the command line asks for something that cannot be; its author must change it."""


class HostError(LabError):
    """This host lacks something; its owner must provide it."""


class BuildError(LabError):
    """A component or an image could not be built; the command that failed is named."""


class BedError(LabError):
    """Nodes could not be made, reached or taken down."""


class InstallError(LabError):
    """The playbooks could not be started at all; a playbook that runs and fails is a value."""


class CheckError(LabError):
    """A check or a probe of the lab is itself wrong."""
