"""Starts the two services and feeds what they print to the recorder; see pyproject.toml."""

from contextlib import contextmanager

from pytest_narration.sources import ProcessSource


def service(name, recorder, **env):
    return ProcessSource(["node", f"services/{name}.js"], name, recorder, env={"PORT": "0", **env})


def url(name, recorder):
    listening = recorder.wait_for(service=name, action="listening", timeout=20)
    return f"http://127.0.0.1:{listening.event.field('port')}"


@contextmanager
def cluster(recorder):
    with service("stock", recorder):
        stock_url = url("stock", recorder)
        with service("shop", recorder, STOCK_URL=stock_url):
            yield url("shop", recorder)
