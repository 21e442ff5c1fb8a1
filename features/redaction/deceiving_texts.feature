Feature: A line says what a reader sees
  Characters that show nothing can hide a secret, turn a text around or break a line in two.
  They do not reach a log; letters of any language do.

  Scenario Outline: A text with <what> in it
    When a text with <what> in it is narrated
    Then the line says "Took the payment"

    Examples:
      | what                     |
      | a null byte              |
      | a zero-width space       |
      | a soft hyphen            |
      | a right-to-left override |
      | an isolated direction    |
      | a byte-order mark        |
      | an escape that colours   |
      | a tag character          |

  Scenario Outline: Letters and pictures of any kind
    When the text <text> is narrated
    Then the line says <sentence>

    Examples:
      | text                     | sentence                          |
      | "تفاح"                   | "Took the تفاح"                   |
      | "苹果"                     | "Took the 苹果"                     |
      | "👩‍👩‍👧‍👦 and 🏳️‍🌈" | "Took the 👩‍👩‍👧‍👦 and 🏳️‍🌈" |
      | "zwei\\nZeilen"          | "Took the zwei Zeilen"            |

  Scenario: A message of a megabyte
    When a text of 1000000 characters is narrated
    Then one line is narrated, of 64 KiB at most, and it says that it was cut
