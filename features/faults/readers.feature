Feature: A reader that does not read holds nothing up
  A browser tab sleeps, a laptop lid closes: the job does not wait for it.

  Background:
    Given a running cluster

  Scenario: A reader opens a stream, reads nothing and vanishes
    When the client submits a job of 400 tokens
    And a reader opens the job's stream, reads nothing and vanishes
    And the client reads the job's stream to its end
    Then the frames have no gap and no repeat
    And a job that the client submits afterwards completes

  Scenario: A reader that never reads does not stop others' jobs
    When the client submits a job of 400 tokens
    And a reader that never reads holds the job's stream
    Then a job that the client submits afterwards completes
