Feature: Thirteen points stay on stdout, eight reach the user
  The worker's lifecycle is the operator's business and stays on stdout.
  What happens to a request is the user's business too, and is also on its stream.

  Background:
    Given a running cluster

  Scenario Outline: The worker's life is narrated on stdout only
    Then the point "<point>" was seen on stdout and never on a stream

    Examples:
      | point                   |
      | worker.startup          |
      | worker.device-cpu       |
      | worker.model-loading    |
      | worker.model-loaded     |
      | worker.callback-begun   |
      | worker.callback-attempt |
      | worker.server-start     |
      | worker.server-bind      |

  Scenario: A happy job is narrated on stdout and on its stream
    When the client submits a job of 20 tokens
    And the client reads the job's stream to its end
    Then these points of the job were seen on stdout and on its stream:
      | point                     | times |
      | worker.request-validated  | 1     |
      | worker.inference-start    | 1     |
      | worker.tokenize           | 1     |
      | worker.cache-reset        | 1     |
      | worker.token-generate     | 2     |
      | worker.inference-complete | 1     |
    And the narration holds every rule

  Scenario: A request that the worker refuses
    When the client submits a job with a prompt of 2000 characters
    And the client reads the job's stream to its end
    Then the point "worker.request-invalid" of the job was seen on stdout and on its stream
    And the job's stream ends with the error "INVALID_REQUEST"
    And the narration holds every rule

  Scenario: An inference that fails
    Given a cluster whose model is damaged
    When the client submits a job
    And the client reads the job's stream to its end
    Then the point "worker.inference-failed" of the job was seen on stdout and on its stream
    And the job's stream ends with the error "INFERENCE_FAILED"
    And the narration holds every rule

  Scenario: An inference that takes too long
    When the client submits a job of 400 tokens with a time limit of 1 ms
    And the client reads the job's stream to its end
    Then the point "worker.inference-failed" of the job was seen on stdout and on its stream
    And the job's stream ends with the error "TIMEOUT"
    And the narration holds every rule

  Scenario: A worker whose port is taken
    When a worker is started on a port that is taken
    Then it exits with code 1
    And it narrated "worker.bind-failed" on stdout and never on a stream

  Scenario: A worker whose pool manager does not answer
    When a worker is started whose pool manager refuses the connection
    Then it narrated "worker.callback-failed" on stdout and never on a stream

  Scenario: A worker that is asked to stop
    When a worker is started and asked to stop
    Then it exits with code 0
    And it narrated "worker.server-shutdown" on stdout and never on a stream
