from lab.listeners import in_question, listeners

API = 'LISTEN 0 4096 *:6443 *:* users:(("kube-apiserver",pid=743,fd=3))'
LOCAL = '  LISTEN 0 4096 127.0.0.1:10259 0.0.0.0:* users:(("kube-scheduler",pid=7,fd=3),("sh",pid=8,fd=3))'
V6 = 'LISTEN 0 128 [::1]:2112 [::]:* users:(("kube-vip",pid=638,fd=3))'
NOBODY = "LISTEN 0 128 0.0.0.0:22 0.0.0.0:*"


def test_a_port_has_the_process_that_listens_on_it() -> None:
    assert listeners(f"{API}\n{LOCAL}\n{V6}") == {(6443, "kube-apiserver"), (10259, "kube-scheduler"), (2112, "kube-vip")}


def test_a_line_without_a_process_or_that_is_no_listener_tells_nothing() -> None:
    assert listeners(f"{NOBODY}\nunreadable: cp1 did not answer (rc 255)") == frozenset()


def test_the_ports_in_question_are_those_of_the_control_plane() -> None:
    assert in_question(6443) == (6443, 10257, 10259)
