Feature: A node that falls silent is lost, and returns by itself
  Operators read when it went, when it came back, and which side was away.

  Background:
    Given a running cluster

  Scenario: The pool manager freezes
    When the pool manager is frozen until it is lost
    And the pool manager goes on
    Then the orchestrator narrates "orchestrator.node-returned"
    And a job that the client submits afterwards completes

  Scenario: The orchestrator freezes
    When the orchestrator is frozen until a heartbeat fails
    And the orchestrator goes on
    Then the pool manager narrates "pool-manager.heartbeat-back"
    And a job that the client submits afterwards completes
