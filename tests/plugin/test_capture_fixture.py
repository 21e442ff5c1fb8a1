"""``narration_capture``: one test's own events, from threads and tasks too."""

from __future__ import annotations

import pytest

from .conftest import Run


def test_a_test_sees_what_it_narrates_and_not_what_others_did(
    project: pytest.Pytester, run: Run
) -> None:
    project.makepyfile(
        """
        import shop
        from pytest_narration.fixtures import Capture, Narration

        def test_types(narration: Narration, narration_capture: Capture):
            assert isinstance(narration, Narration)
            assert isinstance(narration_capture, Capture)

        def test_one(narration_capture):
            shop.look("hats")
            assert [e.field("item") for e in narration_capture.events()] == ["hats"]

        def test_two(narration_capture):
            assert narration_capture.events() == []
            shop.look("shoes")
            assert narration_capture.wait_for(action="look").event.field("item") == "shoes"
        """
    )

    run().assert_outcomes(passed=3)


def test_threads_and_tasks_of_the_test_are_seen(project: pytest.Pytester, run: Run) -> None:
    project.makepyfile(
        """
        import asyncio, threading
        import shop

        def test_thread(narration_capture):
            thread = threading.Thread(target=shop.start)
            thread.start()
            thread.join(5)
            assert len(narration_capture.events(action="startup")) == 1

        def test_tasks(narration_capture):
            async def main():
                await asyncio.gather(asyncio.to_thread(shop.start), task())
            async def task():
                shop.look()
            asyncio.run(main())
            assert {e.action for e in narration_capture.events()} == {"startup", "look"}
        """
    )

    run().assert_outcomes(passed=2)


def test_a_thread_left_over_by_an_earlier_test_is_not_heard(
    project: pytest.Pytester, run: Run
) -> None:
    project.makepyfile(
        """
        import threading
        import shop

        go, done = threading.Event(), threading.Event()

        def late():
            go.wait(10)
            shop.look("late")
            done.set()

        def test_one(narration_capture):
            threading.Thread(target=late, daemon=True).start()

        def test_two(narration_capture):
            go.set()
            assert done.wait(10)
            shop.look("mine")
            assert [e.field("item") for e in narration_capture.events()] == ["mine"]
        """
    )

    run().assert_outcomes(passed=2)


def test_what_was_left_out_is_counted_in_the_repr_and_in_a_wait_s_message(
    project: pytest.Pytester, run: Run
) -> None:
    project.makepyfile(
        """
        import asyncio, threading
        import pytest
        import shop
        from pytest_narration.errors import WaitTimeout

        go, done = threading.Event(), threading.Event()

        def late():
            go.wait(10)
            shop.look("late")
            shop.look("later")
            done.set()

        def test_one(narration_capture):
            threading.Thread(target=late, daemon=True).start()
            shop.look("mine")
            assert repr(narration_capture) == "<narration_capture: 1 events, 0 rejected lines>"
            with pytest.raises(WaitTimeout) as failed:
                narration_capture.wait_for(item="late", timeout=0.01)
            assert "left over" not in str(failed.value)

        def test_two(narration_capture):
            go.set()
            assert done.wait(10)
            note = "2 events of threads or tasks left over by earlier tests left out"
            assert narration_capture.left_out == 2
            assert repr(narration_capture) == (
                f"<narration_capture: 0 events, 0 rejected lines, {note}>"
            )
            with pytest.raises(WaitTimeout, match="this did not come(.|\\n)*" + note):
                narration_capture.wait_for(item="late", timeout=0.01)
            with pytest.raises(WaitTimeout, match=note):
                asyncio.run(narration_capture.wait_for_async(item="late", timeout=0.01))
        """
    )

    run().assert_outcomes(passed=2)


def test_a_task_of_an_earlier_test_on_a_shared_loop_is_not_heard(
    project: pytest.Pytester, run: Run
) -> None:
    project.makepyfile(
        """
        import asyncio
        import shop

        loop = asyncio.new_event_loop()
        go = asyncio.Event()

        async def late():
            await go.wait()
            shop.look("late")

        def test_one(narration_capture):
            async def main():
                asyncio.ensure_future(late())
                await asyncio.sleep(0)
            loop.run_until_complete(main())

        def test_two(narration_capture):
            async def main():
                go.set()
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                shop.look("mine")
            loop.run_until_complete(main())
            loop.close()
            assert [e.field("item") for e in narration_capture.events()] == ["mine"]
        """
    )

    run().assert_outcomes(passed=2)


def test_a_shared_pool_is_heard_once_it_works_for_this_test(
    project: pytest.Pytester, run: Run
) -> None:
    """Its thread was started by an earlier test, but the correlation id is this test's."""
    project.makepyfile(
        """
        from concurrent.futures import ThreadPoolExecutor
        import shop
        from pytest_narration.emit import narrate, narration_context

        pool = ThreadPoolExecutor(1)

        def work():
            shop.checkout(correlation="c-2")

        def test_one(narration_capture):
            pool.submit(shop.look).result(5)
            assert len(narration_capture.events()) == 1

        def test_two(narration_capture):
            with narration_context(correlation_id="c-2"):
                narrate("ask", "Asking", actor="test")
            pool.submit(work).result(5)
            pool.submit(shop.look).result(5)
            assert [e.action for e in narration_capture.events()] == ["ask", "checkout"]
            pool.shutdown()
        """
    )

    run().assert_outcomes(passed=2)


def test_a_channel_records_what_goes_to_a_stream(project: pytest.Pytester, run: Run) -> None:
    project.makepyfile(
        """
        import shop

        def test_both(narration_capture):
            stream = narration_capture.channel("j-1")
            shop.checkout(stream)
            shop.checkout(stream, job="j-2")
            (record,) = narration_capture.records(channel="sse")
            assert (record.event.job_id, record.stream) == ("j-1", "j-1")
            assert len(narration_capture.records(channel="stdout")) == 2

        def test_closed(narration_capture):
            stream = narration_capture.channel("j-1")
            stream.close()
            shop.checkout(stream)
            assert narration_capture.records(channel="sse") == []
        """
    )

    run().assert_outcomes(passed=2)


def test_capturing_composes_with_output_capturing(project: pytest.Pytester, run: Run) -> None:
    project.makepyfile(
        """
        import json
        import shop
        from pytest_narration.emit import flush

        def test_it(narration_capture, capfd):
            shop.look()
            assert flush(5)
            assert json.loads(capfd.readouterr().out)["action"] == "look"
            assert len(narration_capture.events()) == 1
        """
    )

    run().assert_outcomes(passed=1)
    run("-n2").assert_outcomes(passed=1)


@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_asynchronous_tests_are_captured_in_both_modes_of_pytest_asyncio(
    project: pytest.Pytester, run: Run, mode: str
) -> None:
    project.makeini(
        f"[pytest]\npythonpath = .\nasyncio_mode = {mode}\n"
        "asyncio_default_fixture_loop_scope = session\nasyncio_default_test_loop_scope = session\n"
    )
    project.makepyfile(
        """
        import asyncio
        import pytest
        import shop

        late = []

        @pytest.mark.asyncio
        async def test_one(narration_capture):
            async def linger():
                await asyncio.Event().wait()
            late.append(asyncio.create_task(linger()))
            shop.look()
            match = await narration_capture.wait_for_async(action="look")
            assert match.event.field("item") == "shoes"

        @pytest.mark.asyncio
        async def test_two(narration_capture):
            late[0].cancel()
            await asyncio.create_task(asyncio.to_thread(shop.start))
            assert [e.action for e in narration_capture.events()] == ["startup"]
        """
    )

    run("-p", "pytest_asyncio.plugin").assert_outcomes(passed=2)


def test_two_events_that_differ_are_compared_field_by_field(
    project: pytest.Pytester, run: Run
) -> None:
    project.makepyfile(
        """
        import shop

        def test_it(narration_capture):
            shop.look("hats")
            shop.look("shoes")
            one, two = narration_capture.events()
            assert one == two
        """
    )

    result = run()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E*the events differ:", "E*'Looked at hats' != 'Looked at shoes'"])
