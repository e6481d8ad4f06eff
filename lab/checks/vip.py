"""The virtual IP of the control plane, as nodes hold it and as a client outside the cluster sees it."""

import re

from lab.alike import macs
from lab.check import ANSWER_S, Answer, Check, Target, one_holder, without_vip

PREFIX = 32  # kube_vip_cidr of every release


def _one_mac(target: Target) -> Answer:
    vip = target.site.slot.vip
    found = macs(target, vip, asks=3, limit_s=4)
    return Answer(ok=len(found) == 1, said=f"ARP for {vip} is answered by {', '.join(found) or 'nobody'}", state=" ".join(found))


def _certificate(target: Target) -> Answer:
    """The client trusts what answers at the VIP under that address, with the cluster's authority alone."""
    vip = target.site.slot.vip
    authority = target.text_of(f"{target.scope.certificates}/ca.crt", node=target.site.control_planes[0])
    url = f"https://{vip}:{target.site.api_port}/livez"
    limit_s = f"{ANSWER_S * target.site.pace:g}"
    done = target.run("sh -c %s", f"printf %s '{authority}' | curl -sS --max-time {limit_s} --cacert /dev/stdin {url}")
    said = f"the certificate covers {vip}" if done.rc == 0 else f"the certificate is not taken for {vip}: {done.text}"
    return Answer(ok=done.rc == 0, said=said)


def _prefix(target: Target) -> Answer:
    """Where several hold the VIP, another check says so."""
    vip, wanted = target.site.slot.vip, str(target.variables.get("kube_vip_cidr", PREFIX))
    there = [target.run("ip -o -4 addr show to %s/32", vip, node=node).out for node in target.site.control_planes]
    found = sorted({match[1] for text in there for match in re.finditer(rf"inet {re.escape(vip)}/(\d+)", text)})
    said = f"{vip} has the prefix {' and '.join(found) or 'of nobody'}; kube_vip_cidr is {wanted}"
    return Answer(ok=found == [wanted], said=said)


CHECKS = (
    Check(name="VIP on exactly one node", on="client", lacks=without_vip, look=one_holder),
    Check(name="one MAC answers ARP for the VIP", on="client", lacks=without_vip, look=_one_mac),
    Check(
        name="API through the VIP from the client", on="client", lacks=without_vip, look=lambda target: target.livez(target.site.slot.vip)
    ),
    Check(name="prefix of the VIP", on="client", lacks=without_vip, look=_prefix),
    Check(name="certificate covers the VIP", on="client", lacks=without_vip, look=_certificate),
)
