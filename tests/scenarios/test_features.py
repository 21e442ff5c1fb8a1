"""Every feature of the reference cluster, run against real services."""

from pytest_bdd import scenarios

scenarios("correlation", "jobs", "channels", "isolation")
