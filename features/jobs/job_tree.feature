Feature: Each service has its own job id
  A job id is local to the service that made it. It links to the caller's job,
  so that the jobs of one request form a tree.

  Background:
    Given a running cluster

  Scenario: The jobs of a request form a tree
    When the client submits a job
    And the client reads the job's stream to its end
    Then "orchestrator", "pool-manager" and "worker" each have a job id of their own
    And the worker's job belongs to the pool manager's job
    And the pool manager's job belongs to the orchestrator's job
    And the orchestrator's job is the one that the client was given
    And the narration holds every rule

  Scenario: A cancelled job ends once, everywhere
    When the client submits a job of 400 tokens, at most 20 a second
    And the client opens the job's stream
    And the client cancels the job after its first token
    Then the job's stream ends with the error "CANCELLED"
    And the narration holds every rule
