Feature: Streams of jobs
  Background:
    Given the cluster is running

  Scenario: A job's stream from its beginning to its end
    When I submit a job to "/orders" with the JSON:
      """
      {"item": "boots"}
      """
    And I open the job's stream
    And I wait for the frame "token"
    And I wait for the frame "end" within 10 s
    And I read the stream to its end
    Then the stream is complete
    And the stream ends with "end"
    And the stream has exactly 2 frames "token"
    And the stream's frame "end" has:
      | $.items | at least 1 |
      | $.reason | stop      |
    And the stream's frames are, in order:
      | started |
      | token   |
      | end     |
      | done    |
    And the event "placed" for the job is seen on the stream
    And the event "placed" is seen on stdout and on the stream
    And the event "restocked" is seen on stdout and never on a stream
    And each stream carries only its own job's events
    And what is on a stream is on stdout too
    And each stream is well formed
    And the scenario covers "shop.placed" and "bank.paid"

  Scenario: A reader that goes away and comes back
    When I submit a job to "/orders" with the JSON {"item": "hat"}
    And I open the stream "/orders/${job_id}/stream?slowly" as "first reader"
    And I wait for the frame "token"
    And I close the stream
    And I resume the stream
    And I read the stream to its end within 30 s
    Then the stream is complete
    And the stream has exactly 1 frame "end"
    And the stream has exactly 0 frames "started"
    When I look at the stream "first reader"
    Then the stream has at least 1 frame "token"

  Scenario: Jobs and streams in other places
    Given a job's id is at "$.task.ref" of the answer
    And a job's stream is at "/orders/{job_id}/stream"
    When I submit a job to "/orders" with the JSON {}
    And I open the job's stream
    Then the stream is complete
    When I open the stream that answers POST "/execute" with the JSON:
      """
      {}
      """
    Then the stream is complete
    When I open the stream "/busy/stream"
    Then the stream is refused with 409

  Scenario: Many readers
    When 6 clients each submit a job to "/orders" and read its stream, with the JSON:
      """
      {"item": "shoes ${n}"}
      """
    Then each stream carries only its own job's events
    And every answer is 202
