Feature: A thousand jobs at once
  Far more work than slots: all of it is taken on, each job ends once, and nothing gets mixed up.

  Background:
    Given a running cluster

  Scenario: A thousand clients at the same time
    When 1000 clients submit jobs of 2 tokens at the same time and read their streams
    Then each stream carries only its own job's events
    And each stream is complete
    And no printed line is lost
    And the narration holds every rule

  Scenario: A body of a megabyte
    When the client posts a job with a prompt of 1048577 characters
    Then the answer is 413 with error code "payload_too_large"
    And a job that the client submits afterwards completes
