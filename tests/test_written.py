from pathlib import Path

from lab import playbooks, written

TEMPLATE = "roles/kubernetes/node/templates/manifests/kube-vip.manifest.j2"


def test_a_line_of_a_ref_is_told_with_its_file_and_number(tmp_path: Path) -> None:
    (tmp_path / TEMPLATE).parent.mkdir(parents=True)
    (tmp_path / TEMPLATE).write_text("spec:\n  volumes:\n  - hostPath:\n      path: /etc/kubernetes/admin.conf\n    name: kubeconfig\n")
    assert written.lines(tmp_path, "kubespray v2.25.0") == f"{TEMPLATE}:4 of kubespray v2.25.0: path: /etc/kubernetes/admin.conf"


def test_the_replica_has_its_own_template() -> None:
    (line,) = written.lines(playbooks.REPLICA, "replica of v2.25.0").splitlines()
    assert line.startswith("roles/node/templates/kube-vip.yml.j2:") and "kube_vip_admin_conf" in line


def test_playbooks_that_are_otherwise_tell_nothing(tmp_path: Path) -> None:
    assert written.lines(tmp_path, "kubespray master") == ""
