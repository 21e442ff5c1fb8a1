Feature: A clock that is wrong changes no story
  Machines disagree about the time. What happened before what rests on what the
  services told each other, never on when they say that it was.

  Background:
    Given a running cluster

  Scenario Outline: A node's clock is wrong
    Given a cluster whose node's clock is <hours> hours <way>
    When the client submits a job of 20 tokens
    And the client reads the job's stream to its end
    Then the node's timestamps are wrong by that, and the orchestrator's are right
    And the job's story is the one that right clocks tell
    And the narration holds every rule

    Examples:
      | hours | way    |
      | 3     | ahead  |
      | 30    | behind |
