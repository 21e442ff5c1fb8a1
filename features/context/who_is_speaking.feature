Feature: A line knows its request, wherever it is said
  In Python the context of a request goes along with its work: nobody passes ids by hand.

  Scenario Outline: Across <across>
    When the request "r-1" is worked on before, in and after <across>
    Then all 3 lines carry "r-1"

    Examples:
      | across                                     |
      | an await                                   |
      | a task                                     |
      | tasks that are gathered                    |
      | a callback of the loop                     |
      | asyncio.to_thread                          |
      | a pool's thread that was given the context |
      | a thread that was given the context        |

  Scenario: A thread that was given nothing belongs to no request
    When a thread that was given nothing works during the request "r-1"
    Then the line "beside" carries no correlation id
    And the line "within" carries "r-1"

  Scenario: The inner context wins, and the outer one comes back, whatever happened
    When contexts are nested, and the innermost fails
    Then the lines carry, in this order:
      | action        | correlation_id | job_id | tenant |
      | outside       |                |        |        |
      | outer         | outer          | j-1    | blue   |
      | inner         | outer          | j-2    |        |
      | innermost     | innermost      | j-2    |        |
      | outer-again   | outer          | j-1    | blue   |
      | outside-again |                |        |        |

  Scenario: A hundred requests on one loop
    When 100 requests are worked on at the same time on one loop
    Then each of the 300 lines carries the ids of its own request
