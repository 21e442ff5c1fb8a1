Feature: Orders
  A customer orders books. The shop has them reserved, then has them paid, and undoes what it did
  when something goes wrong. Whoever reads the logs finds all of it under one correlation id.

  Background:
    Given the cluster is running

  Scenario: An order is confirmed
    Given my requests carry the correlation id "order-1"
    When I send POST "/orders" with the JSON:
      """
      {"book": "Moby-Dick", "copies": 2, "card": "4000 0000 0000 1234"}
      """
    Then the answer is 201
    And the answer's "$.status" is "confirmed"
    And the answer carries the correlation id
    And these events come in this order:
      | the event "order_received" of "shop"        |
      | the event "copies_reserved" of "stock"      |
      | the event "payment_taken" of "payments"     |
      | the event "order_confirmed" of "shop"       |
    And every event of the request carries its correlation id
    And the jobs of the request form one tree
    And every rule holds
    And the request's story is the approved one

  Scenario: What cannot be paid is put back
    When I send POST "/orders" with the JSON:
      """
      {"book": "Moby-Dick", "copies": 1, "card": "4000 0000 0000 1230"}
      """
    Then the answer is 409
    And the answer's "$.error.code" is "CARD_REFUSED"
    And the event "copies_put_back" of "stock" has the fields:
      | book   | Moby-Dick |
      | copies | 1         |
    And every rule holds
    And the request's story is the approved one

  Scenario Outline: A shelf that is too empty for <copies> of <book>
    When I send POST "/orders" with the JSON {"book": "<book>", "copies": <copies>, "card": "4"}
    Then the answer is 409
    And the event "order_refused" has the fields:
      | error_kind | SOLD_OUT |
    And no event of "payments" is seen

    Examples:
      | book      | copies |
      | Emma      | 1      |
      | Moby-Dick | 101    |

  Scenario: Ten customers at the same time
    When I send POST "/orders" 10 times at the same time with the JSON:
      """
      {"book": "Moby-Dick", "copies": 1, "card": "4000 0000 0000 00${n}1"}
      """
    Then every answer is 201
    And every request has a correlation id of its own
    And exactly 10 events "payment_taken" are seen
    And every rule holds

  Scenario: A card's number stays out of the logs
    When I send POST "/orders" with the JSON:
      """
      {"book": "Moby-Dick", "copies": 1, "card": "4000 1234 5678 9011"}
      """
    Then the event "payment_taken" is seen
    And the text "1234 5678" is told nowhere
