from lab.facts import Evidence, Fact


def test_evidence_has_the_facts_of_a_probe_on_every_node() -> None:
    facts = tuple(Fact(probe=probe, node=node, text="", at_s=1.0) for probe in ("addresses", "lease") for node in ("cp1", "cp2"))
    assert [fact.node for fact in Evidence(facts=facts).of("lease")] == ["cp1", "cp2"]
    assert Evidence().of("lease") == ()
