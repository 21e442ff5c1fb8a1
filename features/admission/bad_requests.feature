Feature: A wrong request gets a clear answer
  Every refusal names what is wrong, carries the correlation id, is narrated,
  and breaks nothing.

  Background:
    Given a running cluster

  Scenario Outline: A body that is wrong
    When the client posts a job with the body <body>
    Then the answer is <status> with error code "<code>"
    And the answer's message mentions "<mention>"
    And the refusal carries the correlation id and is narrated at "warn"
    And a job that the client submits afterwards completes

    Examples:
      | body                                                           | status | code            | mention    |
      | {"operation": "infer", "prompt": "", "max_tokens": 1}          | 400    | invalid_request | prompt     |
      | {"operation": "infer", "prompt": 7, "max_tokens": 1}           | 400    | invalid_request | prompt     |
      | {"operation": "infer", "max_tokens": 1}                        | 400    | invalid_request | prompt     |
      | {"operation": "infer", "prompt": "a", "max_tokens": 0}         | 400    | invalid_request | max_tokens |
      | {"operation": "infer", "prompt": "a", "max_tokens": 1025}      | 400    | invalid_request | max_tokens |
      | {"operation": "infer", "prompt": "a", "max_tokens": true}      | 400    | invalid_request | max_tokens |
      | {"operation": "dance", "prompt": "a", "max_tokens": 1}         | 400    | invalid_request | operation  |
      | {"operation": "infer", "prompt": "a", "max_tokens": 1, "x": 1} | 400    | invalid_request | x          |
      | {"operation": "infer", "prompt":                               | 400    | invalid_request | JSON       |
      | [1, 2]                                                         | 400    | invalid_request | object     |

  Scenario: A prompt that is too long
    When the client posts a job with a prompt of 8193 characters
    Then the answer is 400 with error code "invalid_request"
    And the answer's message mentions "prompt"

  Scenario: A content type that is not JSON
    When the client posts a job as "text/plain"
    Then the answer is 415 with error code "unsupported_media_type"

  Scenario Outline: A job that nobody knows
    When the client asks <method> "<path>"
    Then the answer is 404 with error code "not_found"

    Examples:
      | method | path                                                  |
      | GET    | /v1/jobs/00000000-0000-4000-8000-000000000000         |
      | GET    | /v1/jobs/00000000-0000-4000-8000-000000000000/stream  |
      | POST   | /v1/jobs/00000000-0000-4000-8000-000000000000/cancel  |
      | GET    | /no/such/page                                         |

  Scenario Outline: A token that does not open the door
    When a client with the token "<token>" submits a job
    Then the answer is 401 with error code "unauthorized"

    Examples:
      | token |
      |       |
      | wrong |

  Scenario: A second reader of the same stream is told that it is in use
    When the client submits a job of 400 tokens, at most 20 a second
    And the client opens the job's stream
    And a second reader opens the stream while it is read
    Then the answer is 409 with error code "stream_in_use"
    When the client cancels the job after its first token
    Then the job's stream ends with the error "CANCELLED"

  Scenario: The inner services refuse strangers too
    When a stranger without a token asks the pool manager and the worker for a job
    Then both answer 401 and narrate the refusal

  Scenario: A service that is handed an unusable correlation id replaces it
    When the worker itself is asked for a job under the correlation id "{curly}"
    Then the worker narrates at "warn" that it replaced the correlation id
