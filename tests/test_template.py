from pathlib import Path

import pytest
from jinja2 import UndefinedError

from lab import template


def test_what_a_template_is_not_given_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.j2").write_text("{{ there }} {{ missing }}\n")
    with pytest.raises(UndefinedError, match="missing"):
        template.environment(tmp_path).get_template("a.j2").render(there=1)


def test_values_are_escaped_where_they_become_html_and_kept_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "a.j2").write_text("{{ said }}\n")
    assert template.environment(tmp_path).get_template("a.j2").render(said="<b>") == "<b>\n"
    assert template.environment(tmp_path, escape=True).get_template("a.j2").render(said="<b>") == "&lt;b&gt;"


def test_a_template_may_be_given_a_name() -> None:
    made = template.text(
        "export/kind/metallb-pools.yaml.j2", name="x", pools={"a": {"addresses": ["10.0.0.1/32"], "auto_assign": True}}, advertised=[]
    )
    assert 'addresses: ["10.0.0.1/32"]' in made
