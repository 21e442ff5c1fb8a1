Feature: Services of a scenario's own

  Scenario: A service that is started, broken and mended
    Given the service "bank" is started by "${env:PYTHON} shop.py bank {port}"
    Then the service "bank" runs
    And the service "bank" printed /Listening on port [0-9]+/
    When I send POST "/payments" with the JSON {}
    Then the answer is 200
    And the event "paid" of "bank" is seen
    When the service "bank" is frozen
    And the service "bank" goes on
    And the service "bank" is restarted
    And I send GET "/health"
    Then the answer is 200
    When the service "bank" is killed
    Then the service "bank" ends with exit code -9
    When the service "bank" is restarted
    And the service "bank" is stopped

  Scenario: A service with settings
    Given the service "bank" is started with:
      | setting       | value                                |
      | command       | ${env:PYTHON} -u shop.py bank {port} |
      | env.MODE      | {port}                               |
      | ready.line    | "action": ?"listening"               |
      | ready.timeout | 10 s                                 |
    And requests go to "bank"
    When I send GET "/health"
    Then the answer is 200

  Scenario: A service that runs already
    Given the cluster is running
    And the service "elsewhere" answers at "${url:bank}"
    When I send GET "/health" to "elsewhere"
    Then the answer is 200

  Scenario: A recorded log of another logger
    Given the recorded log "logs/old.jsonl" of "old shop"
    Then an event saying "was placed" of "old shop" with "order" = "o-17" is seen
    And an event saying "was paid" follows an event saying "was placed" within 2 s by their timestamps
    And no event at level "error" or above is seen
    And exactly 1 event at level "warn" is seen
    And the rule "provenance" is broken

  Scenario: A log that grows
    Given the log "logs/old.jsonl" of "old shop" is followed
    Then an event saying "Payment refused" of "old shop" is seen
