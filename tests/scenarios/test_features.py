"""Every feature of the reference cluster, run against real services."""

from pytest_bdd import scenarios

scenarios("admission", "channels", "correlation", "failures", "isolation", "jobs")
