Feature: Services keep what they have promised
  What the interface's description says of an answer is so, for mistakes too.
  What the event's schema says of a line is so, for every line.

  Background:
    Given a running cluster

  Scenario: Answers are as they are described
    When a client asks everything that the interface offers, rightly and wrongly
    Then each answer is one that its description allows

  Scenario: Lines are as their schema says
    When the client submits a job of 20 tokens
    And the client reads the job's stream to its end
    And the client submits a job of 400 tokens with a time limit of 1 ms
    And the client reads the job's stream to its end
    Then each line of every service is an event by its schema
