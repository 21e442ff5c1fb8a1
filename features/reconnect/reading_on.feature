Feature: A reader that was away misses nothing
  Networks break. A reader says which frame it had last, and goes on after it.

  Background:
    Given a running cluster

  Scenario: A restless reader
    When the client submits a job of 400 tokens, at most 20 a second
    And the client disconnects after each token, 4 times, and resumes
    And the client cancels the job after its first token
    Then the job's stream ends with the error "CANCELLED"
    And all its readings together have every frame once
    And the narration holds every rule

  Scenario: A stream is read a second time from its beginning
    When the client submits a job of 10 tokens
    And the client reads the job's stream to its end
    And the client reads the stream of the ended job once more
    Then both times it read the same frames

  Scenario: A reader that has everything is told not to come back
    When the client submits a job of 1 tokens
    And the client reads the job's stream to its end
    And the client asks for the stream after the last frame that it has read
    Then the answer is 204 without a word

  Scenario Outline: A place that no stream has
    When the client submits a job of 1 tokens
    And the client reads the job's stream to its end
    And the client asks for the stream after the frame "<frame>"
    Then the answer is 400 with error code "invalid_request"
    And the answer's message mentions "Last-Event-ID"

    Examples:
      | frame                |
      | 100000               |
      | -1                   |
      | soon                 |
      | 99999999999999999999 |

  Scenario: A second reader takes over, and the first one knows
    When the client submits a job of 40 tokens, at most 10 a second
    And the client opens the job's stream
    And another reader takes the stream over after its first token
    Then the first reader is told "READER_REPLACED"
    And the second reader reads on to the end

  Scenario: A client that never comes back
    When the client submits a job of 40 tokens, at most 100 a second
    And the client goes away after the job's first token and never comes back
    Then the job completes all the same
    When the client reads the stream of the ended job once more
    Then the job's stream is read to its end
