"""Text <-> token ids, one id for each byte: what the model reads and writes.

A byte tokenizer needs no vocabulary file and no training, and any text of any language has an
encoding. Its price is that one character can be several tokens, so text that is streamed token
by token goes through :class:`TextStream`. Used by the decode thread and the checkpoint.
"""

from __future__ import annotations

import codecs

__all__ = ["BOS", "EOS", "VOCAB", "TextStream", "encode"]

BOS = 256
"""Begins every prompt, so that the model has something to continue an empty text from."""
EOS = 257
"""Ends a text: when the model chooses it, the job is finished."""
VOCAB = 258


def encode(text: str) -> list[int]:
    """Return the ids of a prompt: :data:`BOS`, then its UTF-8 bytes.

    :raises UnicodeEncodeError: the text has a lone surrogate, which UTF-8 cannot carry.
    """
    return [BOS, *text.encode("utf-8")]


class TextStream:
    """Token ids in, text out as soon as its bytes make whole characters.

    Bytes that can never become a character turn into U+FFFD, as WHATWG decoders do.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def feed(self, token: int, *, last: bool = False) -> str:
        """Return the text that this token completes: often one character, sometimes none.

        ``last`` says that nothing follows, so an unfinished character becomes U+FFFD.
        """
        return self._decoder.decode(bytes([token]) if token < BOS else b"", last)

    def finish(self) -> str:
        """Return what is left of an unfinished character: ``""`` or U+FFFD."""
        return self._decoder.decode(b"", True)
