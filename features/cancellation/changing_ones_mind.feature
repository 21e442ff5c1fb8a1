Feature: A job that nobody wants any more ends once, wherever it is
  Its reader is told, its slot is free again, and no service goes on with it.

  Background:
    Given a running cluster

  Scenario: Before its first token
    When the client submits a job of 400 tokens, at most 20 a second
    And the client cancels the job
    And the client opens the job's stream
    Then the job's stream ends with the error "CANCELLED"
    And the job's state is "cancelled"
    And the narration holds every rule

  Scenario: While it waits for a slot
    When all slots are busy
    And the client submits 1 more jobs
    And the client cancels the job
    And the client opens the job's stream
    Then the job's stream ends with the error "CANCELLED"
    When the client cancels its other jobs
    Then no worker hears of the job
    And the narration holds every rule

  Scenario: Twice
    When the client submits a job of 400 tokens, at most 20 a second
    And the client cancels the job twice
    Then the first answer is 202, and the second 202 or, when the job has ended meanwhile, 409
    And the stream of each job ends with the error "CANCELLED"
    And the narration holds every rule

  Scenario: When it is over
    When the client submits a job of 1 tokens
    And the client reads the job's stream to its end
    And the client cancels the job
    Then the answer is 409 with error code "conflict"
    And the job's state is "completed"

  Scenario: All at once, and the slots are free again
    When all slots are busy
    And the client submits 4 more jobs
    And the client cancels all its jobs, the latest first
    Then the stream of each job ends with the error "CANCELLED"
    And a job that the client submits afterwards completes
    And the narration holds every rule
