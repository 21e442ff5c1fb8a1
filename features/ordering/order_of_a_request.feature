Feature: What happens first is told first
  Lines of three services arrive in any order. Their story has one, and streams keep it.

  Background:
    Given a running cluster

  Scenario: A request goes through the services in one order
    When the client submits a job of 10 tokens
    And the client reads the job's stream to its end
    Then these lines of the job's story come in this order:
      | orchestrator | job_admit          |
      | orchestrator | job_dispatch       |
      | pool-manager | job_accept         |
      | worker       | execute_request    |
      | worker       | inference_start    |
      | worker       | tokenize           |
      | worker       | cache_reset        |
      | worker       | inference_complete |
      | orchestrator | job_complete       |
    And the job's tokens are numbered from 0 without a gap

  Scenario: Streams keep the order in which services spoke
    When 4 clients submit jobs of 20 tokens at the same time and read their streams
    Then on each stream the lines of each service come in the order in which they were said
    And each stream is complete

  Scenario: Who waits for a slot is served in turn
    When all slots are busy
    And the client submits 3 more jobs
    Then the last 3 jobs waited at positions 1 to 3
    When the client cancels its first 4 jobs
    Then the last 3 jobs are dispatched in the order of their submission
