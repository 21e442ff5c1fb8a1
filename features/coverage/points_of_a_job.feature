Feature: What a job covers of the catalog
  A point is covered when it was seen on every channel that it declares, with its ids.
  One happy job cannot cover everything: failures have points of their own.

  Background:
    Given a running cluster

  Scenario: A happy job covers six of the worker's points
    When the client submits a job of 10 tokens
    And the client reads the job's stream to its end
    Then these points of "worker" are covered, and no other:
      | worker.request-validated  |
      | worker.inference-start    |
      | worker.tokenize           |
      | worker.cache-reset        |
      | worker.token-generate     |
      | worker.inference-complete |

  Scenario: A job whose stream nobody reads covers none of them
    When the client submits a job of 10 tokens
    Then the job completes all the same
    And these points of "worker" are covered, and no other:
      |  |

  Scenario: A job that is refused covers another one
    When the client submits a job with a prompt of 2000 characters
    And the client reads the job's stream to its end
    Then these points of "worker" are covered, and no other:
      | worker.request-invalid |
