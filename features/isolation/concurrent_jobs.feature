Feature: Concurrent jobs never see each other's lines
  Two users work at the same time. What is narrated for one never shows on the
  other's stream, whatever the services share.

  Background:
    Given a running cluster

  Scenario: Two jobs at once
    When 2 clients submit jobs of 40 tokens, at most 40 a second, at the same time and read their streams
    Then each stream carries only its own job's events
    And the narration holds every rule

  Scenario: Two hundred jobs at once
    When 200 clients submit jobs of 10 tokens at the same time and read their streams
    Then each stream carries only its own job's events
    And each stream is complete
    And no printed line is lost
    And the narration holds every rule

  Scenario: A client that disconnects and resumes misses nothing
    When the client submits a job of 40 tokens, at most 10 a second
    And the client reads the job's stream to its first token, disconnects and resumes
    Then the frames have no gap and no repeat
    And the narration holds every rule
