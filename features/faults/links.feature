Feature: A link that loses, delays or changes what it carries
  The network between the services misbehaves; the services do not know.
  A job ends exactly once, and where an id was lost is said by name.

  Background:
    Given a running cluster

  Scenario Outline: A correlation id is lost on one hop, and the check names the hop
    Given the link from the <caller> to the <service> drops the correlation id
    When the client submits a job
    And the client reads the job's stream to its end
    Then the check of "correlation-same" names "<caller>" and "<service>"

    Examples:
      | caller       | service      |
      | orchestrator | pool-manager |
      | pool-manager | worker       |

  Scenario: A node is cut off, is lost and returns by itself
    When the node is partitioned until it is lost
    And the partition heals
    Then the orchestrator narrates "orchestrator.node-returned"
    And a job that the client submits afterwards completes

  Scenario: A slow network
    Given every piece between the orchestrator and the node takes 20 ms more
    When the client submits a job of 20 tokens
    And the client reads the job's stream to its end
    Then the job's stream is read to its end
    And the narration holds every rule

  Scenario: A job that is lost on its way to the node is placed again
    Given the link from the orchestrator to the pool-manager loses the next job
    When the client submits a job
    And the client reads the job's stream to its end
    Then the orchestrator narrates "orchestrator.dispatch-refused"
    And the job's stream is read to its end
    And the narration holds every rule

  Scenario: A job arrives twice at the worker
    Given the link from the pool-manager to the worker doubles the next job
    When the client submits a job of 20 tokens
    And the client reads the job's stream to its end
    Then the job's stream is read to its end
    And the narration keeps "stream-grammar", "correlation-same" and "job-isolated"

  Scenario: A job is overtaken by the next one
    Given the link from the pool-manager to the worker lets the second job overtake the first
    When 2 clients submit jobs of 20 tokens at the same time and read their streams
    Then one job was overtaken
    And each stream carries only its own job's events
    And the narration holds every rule

  Scenario Outline: What the worker sends is broken on its way
    Given the link from the pool-manager to the worker <breaks> what comes back
    When the client submits a job of 100 tokens
    And the client opens the job's stream
    Then the job's stream ends with the error "<code>"
    And a job that the client submits afterwards completes
    And the narration keeps "stream-grammar", "correlation-same" and "job-isolated"

    Examples:
      | breaks  | code         |
      | cuts    | WORKER_LOST  |
      | garbles | BAD_UPSTREAM |

  Scenario: Two tokens change places on their way
    Given the link from the pool-manager to the worker swaps two tokens
    When the client submits a job of 20 tokens
    And the client reads the job's stream to its end
    Then the job's stream is read to its end
    And the narration keeps "stream-grammar", "correlation-same" and "job-isolated"

  Scenario: A middle box changes a job
    Given the link from the orchestrator to the pool-manager changes "max_tokens" to "max_dreams"
    When the client submits a job
    And the client opens the job's stream
    Then the job's stream ends with the error "INVALID_REQUEST"
    And the narration holds every rule
