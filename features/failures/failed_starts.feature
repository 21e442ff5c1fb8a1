Feature: A service that cannot start says why
  Silence is the worst answer to "why is it down?".

  Background:
    Given a running cluster

  Scenario Outline: A port that is taken
    When <service> is started on a port that is taken
    Then it exits with code 1
    And it narrated "<point>" on stdout and never on a stream

    Examples:
      | service         | point                    |
      | an orchestrator | orchestrator.bind-failed |
      | a pool manager  | pool-manager.bind-failed |

  Scenario: A device that the machine lacks
    When a worker is started on a device that this machine lacks
    Then it exits with code 1
    And it narrated "worker.device-unavailable" on stdout and never on a stream

  Scenario: A model that is not there
    When a worker is started with a model that does not exist
    Then it exits with code 1
    And it narrated "worker.model-unusable" on stdout and never on a stream

  Scenario: A node without enough memory starts no worker
    When a pool manager is started that needs more memory than the machine has
    Then it narrated "provisioner.preflight-failed" on stdout and never on a stream

  Scenario: A worker that does not stop is killed, and that is said
    When a pool manager is stopped while its worker is frozen
    Then it exits with code 0
    And it narrated "provisioner.worker-killed" on stdout and never on a stream

  Scenario: A node whose orchestrator does not answer keeps trying
    When a pool manager is started whose orchestrator refuses the connection
    Then it narrated "pool-manager.registration-failed" on stdout and never on a stream
