"""Makes `pytest scenarios/` the lab."""

pytest_plugins = ("lab.pytest_plugin",)
