"""Set-up shared by all tests."""

import signal

pytest_plugins = ["pytester"]

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that runs the tests in the background ignores Ctrl-C for them and all they start;
    # some tests interrupt what they started.
    signal.signal(signal.SIGINT, signal.default_int_handler)
