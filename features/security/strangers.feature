Feature: A job belongs to who sent it
  Clients share an orchestrator and see nothing of each other. Who shows no token sees nothing.

  Scenario: Another client's job does not exist
    Given an orchestrator that knows the clients "token-of-alice-0123456789" and "token-of-bob-0123456789"
    When "token-of-alice-0123456789" submits a job
    Then the same is "404" for "token-of-bob-0123456789":
      | GET  | /v1/jobs/{job_id}        |
      | GET  | /v1/jobs/{job_id}/stream |
      | POST | /v1/jobs/{job_id}/cancel |
    And the same is "200" for "token-of-alice-0123456789":
      | GET | /v1/jobs/{job_id} |
    And nothing that it said or answered holds a token

  Scenario: What is the cluster's own is closed to clients
    Given an orchestrator that knows the clients "token-of-alice-0123456789" and "token-of-bob-0123456789"
    Then the same is "403" for "token-of-alice-0123456789":
      | GET    | /v2/nodes                  |
      | POST   | /v2/nodes/register         |
      | POST   | /v2/nodes/node-0/heartbeat |
      | DELETE | /v2/nodes/node-0           |
    And the same is "401" for "token-of-mallory-0123456789":
      | GET  | /v1/jobs/00000000-0000-4000-8000-000000000000 |
      | POST | /v1/jobs                                      |
      | GET  | /v2/nodes                                     |
      | GET  | /metrics                                      |
    And the same is "200" for "token-of-mallory-0123456789":
      | GET | /health       |
      | GET | /openapi.json |
    And nothing that it said or answered holds a token

  Scenario: Nobody finds a job by trying
    Given an orchestrator without nodes that takes 100 jobs at once
    When 50 jobs are sent to it
    Then the job ids cannot be guessed
