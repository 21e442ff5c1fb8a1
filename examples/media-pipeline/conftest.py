"""Steps that name this pipeline."""

from pytest_bdd import parsers, then

WORKERS = {"ingest", "transcribe", "diarize", "enrich", "indexer"}


def _of_the_request(scene, **where):
    return scene.narration.events(correlation_id=scene.correlation_id, **where)


@then("every event of a worker names its run and its attempt")
def _names_its_run(narration_scene):
    events = [e for e in _of_the_request(narration_scene) if e.service in WORKERS]
    assert {e.service for e in events} == WORKERS
    assert [e for e in events if not (e.field("job_run_id") and e.field("attempt"))] == []


@then(parsers.parse('the layers "{one}" and "{other}" are of one run'))
def _of_one_run(narration_scene, one, other):
    steps = _of_the_request(narration_scene, action="layer_completed")
    runs = {e.field("layer"): (e.job_id, e.field("job_run_id")) for e in steps}
    assert runs.keys() == {one, other}
    assert runs[one] == runs[other]


@then(parsers.parse('"{worker}" ran its job {times:d} times'))
def _ran(narration_scene, worker, times):
    runs = _of_the_request(narration_scene, action="job_run_started", service=worker)
    assert [run.field("attempt") for run in runs] == list(range(1, times + 1))
    assert len({run.job_id for run in runs}) == 1
    assert len({run.field("job_run_id") for run in runs}) == times
