Feature: From a recording to what can be found in it
  The API takes a recording in. Five workers pass it on over a queue: ingest, transcribe, diarize,
  enrich, indexer. Whoever reads the logs finds all of it under the one id of the request.

  Background:
    Given the cluster is running

  Scenario: One request id from the API to the last worker
    Given my requests carry the correlation id "recording-1"
    When I send POST "/ingest" with the JSON:
      """
      {"recording": "Ada: Good morning. Bob: The harvest was good. We are glad."}
      """
    Then the answer is 202
    And the answer carries the correlation id
    And the event "job_run_completed" of "indexer" is seen within 30 s
    And these events come in this order:
      | the event "job_created" of "api"               |
      | the event "recording_split" of "ingest"        |
      | the event "speech_written" of "transcribe"     |
      | the event "speakers_found" of "diarize"        |
      | the event "layer_completed" of "enrich" with "layer" = "stop-words" |
      | the event "recording_indexed" of "indexer"     |
    And the request is narrated by "api", "ingest", "transcribe", "diarize", "enrich" and "indexer"
    And every event of the request carries its correlation id
    And the jobs of the request form one tree
    And every event of a worker names its run and its attempt
    And every rule holds

  Scenario: The layers of a step belong to its run
    When I send POST "/ingest" with the JSON {"recording": "Ada: The rain came."}
    Then the answer is 202
    And the event "layer_completed" of "enrich" with "layer" = "stop-words" is seen within 30 s
    And the event "job_run_completed" of "indexer" is seen within 30 s
    And the layers "words" and "stop-words" are of one run

  Scenario: A retry is seen as a second run of the same job
    When I send POST "/ingest" with the JSON {"recording": "Ada: Good [noise] morning."}
    Then the answer is 202
    And the event "job_run_completed" of "indexer" is seen within 30 s
    And the event "job_run_failed" of "transcribe" has the fields:
      | attempt    | 1     |
      | error_kind | NOISE |
      | will_retry | true  |
    And the event "job_run_completed" of "transcribe" has the fields:
      | attempt | 2 |
    And "transcribe" ran its job 2 times
    And every event of a worker names its run and its attempt
    And every rule holds

  Scenario: A worker that dies leaves its message to the next one
    When I send POST "/ingest" with the JSON {"recording": "Ada: Good [crash] morning."}
    Then the answer is 202
    And the service "transcribe" ends with exit code -9
    When the service "transcribe" is restarted
    Then the event "job_run_completed" of "indexer" is seen within 30 s
    And "transcribe" ran its job 2 times
    And the request is narrated by "api", "ingest", "transcribe", "diarize", "enrich" and "indexer"
    And every event of a worker names its run and its attempt

  Scenario: After three attempts a job is given up
    When I send POST "/jobs" with the JSON {"type": "transcribe", "input": "Ada: [silence]"}
    Then the answer is 202
    When I save "$.job_id" of the answer as "job"
    Then the event "job_failed" of "transcribe" with "error_kind" = "SILENCE" is seen within 30 s
    And "transcribe" ran its job 3 times
    And the event "job_run_failed" of "transcribe" with "attempt" = 3 has the fields:
      | error_kind | SILENCE |
      | will_retry | false   |
    And no event of "diarize" for the request is seen
    And every rule holds
    When I send GET "/jobs/${job}"
    Then the answer is the JSON:
      """
      {"state": "failed", "type": "transcribe"}
      """

  Scenario: What was said is found, and the search does not tell what was searched for
    Given my requests carry the correlation id "search-1"
    When I send POST "/ingest" with the JSON {"recording": "Bob: Zucchini grow well."}
    Then the event "recording_indexed" of "indexer" is seen within 30 s
    When I send GET "/search?q=zucchini"
    Then the answer is 200
    And the answer's "$.results[0].sentence" is "Zucchini grow well."
    And the event "search_executed" of "api" has the fields:
      | mode          | keyword |
      | results_count | 1       |
      | query_chars   | 8       |
    And no event saying /zucchini/i is seen

  Scenario: What is no recording is refused, and no worker hears of it
    When I send POST "/ingest" with the JSON {"recording": " "}
    Then the answer is 400
    And the answer carries the correlation id
    And the event "request_refused" has the fields:
      | error_kind | RECORDING_MISSING |
    And no event "job_created" for the request is seen
