Feature: A service that dies takes no job's end with it
  Whoever reads a stream learns how the job ended, once, whatever crashed;
  and the cluster serves the next job without anybody's help.

  Background:
    Given a running cluster

  Scenario: A worker is killed while it decodes
    When the client submits a job of 400 tokens, at most 20 a second
    And the client opens the job's stream
    And the worker crashes after the job's first token
    Then the job's stream ends with the error "WORKER_LOST"
    And the pool manager narrates "provisioner.worker-ended" within 5 s of the crash
    And a job that the client submits afterwards completes
    And the narration keeps "stream-grammar", "correlation-same" and "job-isolated"

  Scenario: A worker that has no place left refuses at once
    When 4 jobs of 400 tokens, at most 20 a second, have each streamed a token
    And the worker itself is asked for one more job
    Then the answer is 503 with error code "overloaded"
    And the worker narrates "worker.execute-refused"
    When the client cancels its jobs
    Then each stream ends with the error "CANCELLED"
    And the narration holds every rule

  Scenario: A worker freezes and goes on
    When the client submits a job of 60 tokens, at most 10 a second
    And the client opens the job's stream
    And the worker freezes after the job's first token and goes on
    Then the job's stream is read to its end
    And the narration holds every rule

  Scenario: A pool manager is killed while a job runs there
    When the client submits a job of 400 tokens, at most 20 a second
    And the client opens the job's stream
    And the pool manager crashes after the job's first token
    Then the job's stream ends with an error
    And the restarted pool manager serves again
    And a job that the client submits afterwards completes
    And the narration keeps "stream-grammar", "correlation-same" and "job-isolated"

  Scenario: The orchestrator is killed while a stream is read
    When the client submits a job of 400 tokens, at most 20 a second
    And the client opens the job's stream
    And the orchestrator crashes after the job's first token
    Then the client sees its stream break
    And the node returns to the restarted orchestrator
    And a job that the client submits afterwards completes

  Scenario: A worker whose stdout is on a full disk serves all the same
    When a worker is started whose stdout is on a full disk
    Then a job on that worker streams its narration to its end
