Feature: Stories
  Scenario: The approved story
    Given the cluster is running
    When I send POST "/orders" with the JSON {"count": 2}
    Then the request's story is the approved one
