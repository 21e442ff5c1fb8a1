Feature: Too much is refused in time, and slowness stays where it is
  A cluster that is full says so and when to come back. A slow reader slows nobody but itself.

  Scenario: More jobs than an orchestrator can hold
    Given an orchestrator without nodes that takes 3 jobs at once
    When 4 jobs are sent to it
    Then the other 3 were admitted
    And the last answer is 503 with error code overloaded, and says when to retry
    And the refusal is narrated at "error" under its correlation id

  Scenario: A job that gets no slot in time
    Given an orchestrator without nodes where a job waits for 0.1 s at most
    When 1 jobs are sent to it
    Then its job ends with the error "QUEUE_TIMEOUT"

  Scenario: A reader that reads late has every frame
    Given a running cluster
    When the client submits a job of 100 tokens
    And the client opens the job's stream, and reads only when the job is over
    Then it has read every frame, to the end
    And a job that the client submits afterwards completes

  Scenario: A reader that reads slowly has every frame, and nobody waits for it
    Given a running cluster
    When the client submits a job of 400 tokens
    And a slow reader reads the job's stream
    Then the job is complete while the slow reader still reads
    And a job that the client submits afterwards completes
    And the slow reader reads on to the job's end, and misses nothing
    And the orchestrator narrates "orchestrator.stream-closed"
    And the narration holds every rule

  Scenario: A slow reader that falls behind what is kept is told, and reads on from there
    Given a cluster with little memory
    When the client submits a job of 80 tokens
    And a slow reader reads the job's stream
    Then the slow reader reads on to the job's end, and misses only what it is told of
    And each time that it was told is narrated
    And the orchestrator keeps at most 30 frames of each job
    And the narration holds every rule

  Scenario: Memory is bounded, for what is decoded and for what is kept to be read
    Given a cluster with little memory
    When the client submits a job with a prompt of 100 characters
    And the client reads the job's stream to its end
    Then the job's stream ends with the error "VRAM_OOM"
    And the point "worker.inference-failed" of the job was seen on stdout and on its stream
    When a job of 40 tokens has ended before its stream is opened
    And the client asks for the stream from its beginning
    Then the answer is 410 with error code "replay_gone"
    And the client may resume where the answer says, and read to the end
