"""What a reset leaves behind for the next cluster on the same nodes."""

from collections.abc import Iterator

from lab.preflight import Look, Rule

GRACE = "cri_stop_containers_grace_period"  # seconds that reset.yml gives containers to end


def _vip_stays(look: Look) -> Iterator[str]:
    """kube-vip takes the VIP off its interface when it is asked to end, which 0 does not do; crictl's own default is 0 too."""
    held = look.on("kube_vip_enabled") and look.on("kube_vip_controlplane_enabled") and look.on("kube_vip_arp_enabled")
    settable = GRACE in look.release.defaults
    if held and not (settable and look.text(GRACE).strip("0")):
        how = f"{GRACE} is 0" if settable else f"{look.release.tag} has no setting for it"
        restarts = "; the restart of the network behind it may" if look.on("reset_restart_network") else ""
        yield f"reset.yml gives containers no time to end ({how}), so that kube-vip does not take the VIP away{restarts}"


RULES = (Rule(name="no VIP after a reset", signature="vip-left-by-reset", look=_vip_stays, resets=True),)
