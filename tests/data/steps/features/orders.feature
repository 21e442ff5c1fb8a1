Feature: Orders
  An order goes from the shop to the bank and back.

  Background:
    Given the cluster is running
    And I wait at most 10 s

  Scenario: A request, its answer, its events
    Given my requests carry the correlation id "checkout-7f3a"
    And my requests carry the header "X-Tenant" with "blue"
    And my requests carry a trace
    When I send POST "/orders" with the JSON:
      """
      {"item": "boots", "count": 2}
      """
    Then the answer is 202
    And the answer is a success
    And the answer's "$.items[0].name" is "boots"
    And the answer has:
      | place        | value      |
      | $.status     | accepted   |
      | $.items[*].n | [2]        |
      | $.job_id     | a text     |
      | $.error      | absent     |
      | items[-1].n  | at least 2 |
    And the answer's header "content-type" is containing "json"
    And the answer's text is containing "accepted"
    And the answer came within 10 s
    And the answer carries the correlation id
    And the request's correlation id is "checkout-7f3a"
    And the request is narrated by "shop" and "bank"
    And every event of the request carries its correlation id
    And the event "paid" of "bank" carries the request's correlation id
    And "shop" and "bank" each have a job id of their own
    And the job of "bank" belongs to the job of "shop"
    And the jobs of the request form one tree
    And every event of the request is in my trace
    And the request is one trace
    And every event of "shop" for the request has the fields:
      | emitted_by | shop@1.0 |
    And the request's story has no contradiction
    And the request's story goes through:
      | service | action    |
      | shop    | placed    |
      | bank    | paid      |
      | shop    | confirmed |
    And the request's story is:
      """
      shop  orders `placed`  Placed an order of 2  [stdout]
      bank  payments `paid`  Took the money  [stdout]
      shop  orders `confirmed`  Confirmed the order  [stdout]
      shop  orders `restocked`  Ordered more shoes  [stdout]
      """
    And no line is lost
    And every line is an event

  Scenario: Events, their fields and their order
    When I send POST "/orders" with the JSON {"count": 3}
    Then the event "placed" of "shop" by "orders" at level "info" with "count" = 3 is seen
    And an event saying "Took the money" is seen within 5 s
    And any event saying /^confirmed/i is seen
    And the point "bank.paid" is seen
    And exactly 1 event "paid" for the request is seen
    And at least 3 events for the request are seen
    And at most 1 event "paid" for the request is seen within 200 ms
    And no events at level "warn" or above are seen
    And no event "refunded" of "bank" is seen within 100 ms
    And the field "customer.id" of the event "placed" is /^c-/
    And the event "placed" has the fields:
      | field   | value  |
      | count   | 3      |
      | refused | absent |
    And the event "placed" and the event "paid" have the same "correlation_id"
    And the sentence "Took the money" is told by "bank"
    And the event "placed" comes before the event "confirmed"
    And no event "confirmed" comes before the event "paid"
    And no event "refused" comes between the event "placed" and the event "confirmed"
    And these events come in this order:
      | the event "placed" of "shop" |
      | the event "paid" of "bank"   |
      | an event saying "Confirmed"  |
    And these events come in any order:
      | event                         |
      | the event "confirmed"         |
      | the event "placed" of "shop"  |
    And the event "confirmed" follows the event "placed" within 5 s
    And the event "confirmed" follows the event "placed" within 5 s by their timestamps
    And each event "placed" is followed by the event "confirmed" within 5 s
    When I save the field "job_id" of the event "placed" as "job"
    And I call "greeting" "hello ${job}"
    And I send GET "/orders/${job}"
    Then the answer is 404
    And the answer is the JSON:
      """
      {"error": {"message": "/orders/${job}", "code": "not_found"}}
      """

  Scenario: Other requests
    Given my requests carry the headers:
      | header   | value |
      | X-Tenant | green |
    When I send GET "/health" to "bank"
    Then the answer's "tenant" is "green"
    When I send GET "/health" with the headers:
      | X-Tenant | red |
    Then the answer's "tenant" is "red"
    When I send POST "/payments" to "bank" with the JSON:
      """
      {}
      """
    Then the answer's "$.paid" is true
    Given requests go to "bank"
    When I send POST "/payments" with the JSON {}
    Then the answer is 200
    Given requests go to "shop"
    When I send POST "/orders" with the text:
      """
      {"item":
      """
    Then the answer is 400
    And the answer's "error.code" is one of "no_json" or "bad_json"
    And the event "refused" at level "warn" is seen
    When I send POST "/orders" with a text of 100000 characters
    Then the answer is 400
    When I send POST "/orders" with the JSON {"item": "${uuid}"}
    And I save "$.items[0].name" of the answer as "item"
    And I save the header "Location" of the answer as "place"
    Then the answer's "$.items[0].name" is a UUID
    And the answer's "$.items[0].name" is "${item}"
    When I send GET "${url:shop}${place}"
    Then the answer's "$.error.message" is "${place}"
    Given my requests carry the bearer token "wrong"
    When I send POST "/orders" with the JSON {}
    Then the answer is 401

  Scenario: Many requests at the same time
    When I send POST "/orders" 8 times at the same time with the JSON:
      """
      {"item": "shoes ${n}", "count": ${n}}
      """
    Then every answer is 202
    And every request has a correlation id of its own
    And exactly 8 answers are 202
    And 50 % of the answers came within 20 s
    And exactly 8 events "placed" are seen
    And exactly 1 event "placed" with "count" = 8 is seen
    When I send GET "/missing/${n}" 3 times at the same time
    Then exactly 3 answers are 404

  Scenario: Everything holds
    When I send POST "/orders" with the JSON {}
    And everything is quiet
    Then every rule holds
    And the rules "job-own" and "job-linked" hold
    And every rule holds, except:
      | rule       | reason               |
      | provenance | only to show the way |
    And every job ends once
    And the scenario covers "bank.paid" and "shop.restocked"
    And the scenario covers the points:
      | bank.paid |
    And the scenario covers at least 100 % of "bank"
    And the text "hunter2" is told nowhere

  Scenario Outline: Values of an outline
    When I send POST "/orders" with the JSON {"count": <count>}
    Then the event "placed" with "count" = <count> is seen

    Examples:
      | count |
      | 5     |
      | 6     |
