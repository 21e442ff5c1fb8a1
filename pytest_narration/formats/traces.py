"""Is a line that no format reads part of the stack trace that the previous event began?

Python, Java, Node, Go, Rust, .NET, Ruby and PHP print traces over many lines, unstructured even
when the logger is structured. A reader attaches them to the event that they follow.
"""

from __future__ import annotations

import re

__all__ = ["begins_trace", "continues", "is_go_frame"]

_BEGINS = re.compile(
    r"""
    Traceback\ \(most\ recent\ call\ last\)
  | (?:Fatal\ |PHP\ Fatal\ |Uncaught\ )(?:error|exception|Python\ error)
  | Exception\ in\ thread\ | Unhandled\ [Ee]xception | Uncaught\ [a-zA-Z]
  | Caused\ by:\ | Suppressed:\  | Stack\ trace:
  | panic:\ | fatal\ error:\ | goroutine\ \d+\ \[ | \[signal\ SIG
  | thread\ '.*'\ (?:\(\d+\)\ )?panicked\ at | stack\ backtrace: | Backtrace:
  | The\ above\ exception\ was | During\ handling\ of\ the\ above
  | (?:node:|file:///|/)\S+:\d+$                            # node prints the place first
  | (?:[\w$]+[.:/])*[A-Z][\w$]*(?:Error|Exception|Throwable|Failure|Interrupt|Exit)\b(?::|$|\ \[)
  | (?:[\w$]+\.)+[A-Z][\w$]*(?:Error|Exception)\b
    """,
    re.VERBOSE,
)
# Loggers that pad or indent their level begin a line of their own.
_CONTINUES = re.compile(
    r"\s+(?!\[?(?:TRACE|DEBUG|INFO|WARN|ERROR|FATAL)\b)\S"
    r"|\.\.\. \d+ (?:more|common)|--- End of|at \S+\("
    r"|note: run with|exit status \d|Node\.js v\d"
)


# Go's functions, each above its place: "net/http.(*conn).serve", "main.main.func1", "x.get[...]".
_GO_FRAME = re.compile(
    r"(?:[\w.~-]{1,80}/){0,10}[\w~-]{1,80}\.(?:\(\*?\w{1,80}(?:\[\.\.\.\])?\)\.)?"
    r"\w{1,80}(?:\[\.\.\.\])?(?:\.\w{1,80}){0,5}$"
)


def begins_trace(text: str) -> bool:
    """Whether the line begins a trace; everything up to the next event then belongs to it."""
    return _BEGINS.match(text[:500]) is not None


def continues(text: str) -> bool:
    """Whether the line, by itself, reads as the continuation of the line before."""
    return _CONTINUES.match(text[:500]) is not None


def is_go_frame(text: str) -> bool:
    """Whether the line is a Go function's name, as zap and others print below a failure."""
    return _GO_FRAME.match(text[:500]) is not None
