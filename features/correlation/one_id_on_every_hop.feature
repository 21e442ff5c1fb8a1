Feature: One correlation id on every hop
  A request crosses the orchestrator, the pool manager and the worker.
  Whoever reads the logs finds all of it under one correlation id.

  Background:
    Given a running cluster

  Scenario: The client gives the correlation id
    When the client submits a job with correlation id "checkout-7f3a"
    And the client reads the job's stream to its end
    Then the request's correlation id is "checkout-7f3a"
    And every event of the request carries its correlation id
    And the request is narrated by "orchestrator", "pool-manager" and "worker"
    And the response carries the correlation id
    And the narration holds every rule

  Scenario: The orchestrator makes the correlation id
    When the client submits a job
    And the client reads the job's stream to its end
    Then the request has a fresh correlation id
    And every event of the request carries its correlation id
    And the request is narrated by "orchestrator", "pool-manager" and "worker"
    And the response carries the correlation id
    And the narration holds every rule

  Scenario Outline: An unusable correlation id is replaced, and that is narrated
    When the client submits a job with correlation id <given>
    And the client reads the job's stream to its end
    Then the request has a fresh correlation id
    And the orchestrator narrates at "warn" that it replaced the correlation id
    And every event of the request carries its correlation id
    And the narration holds every rule

    Examples:
      | given                                |
      | "no spaces allowed"                  |
      | "{curly}"                            |

  Scenario: A rejected request is answered under its correlation id
    When the client submits a job with an empty prompt and correlation id "rejected-1"
    Then the answer is 400 with error code "invalid_request"
    And the response carries the correlation id
    And the orchestrator narrates the rejection under "rejected-1"
