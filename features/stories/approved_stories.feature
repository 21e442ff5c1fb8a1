Feature: The stories that the cluster tells
  What a request goes through is approved as a story. Who changes what the
  services say, or in which order, changes a file that a reviewer reads.

  Background:
    Given a running cluster

  Scenario: A job that completes
    When the client submits a job of 20 tokens
    And the client reads the job's stream to its end
    Then the job's story is as approved

  Scenario: A request that is rejected
    When the client submits a job with an empty prompt and correlation id "rejected-1"
    Then the story of "rejected-1" is as approved

  Scenario: A prompt that the model has no room for
    When the client submits a job with a prompt of 3000 characters
    And the client reads the job's stream to its end
    Then the job's story is as approved

  Scenario: An inference that fails
    Given a cluster whose model is damaged
    When the client submits a job
    And the client reads the job's stream to its end
    Then the job's story is as approved

  Scenario: A job that is cancelled
    When the client submits a job of 400 tokens, at most 20 a second
    And the client opens the job's stream
    And the client cancels the job after its first token
    Then the job's stream ends with the error "CANCELLED"
    And the job's story is as approved, however many tokens came

  Scenario: A worker that crashes
    When the client submits a job of 400 tokens, at most 20 a second
    And the client opens the job's stream
    And the worker is killed after the job's first token
    Then the job's stream ends with an error
    And the provisioner restarts the worker
    And the story of the crash is as approved, however many tokens came

  Scenario: Two jobs at once
    When 2 clients submit jobs of 20 tokens at the same time and read their streams
    Then the story of all jobs is as approved
