Feature: A request is one trace, the client's if it has one
  Whoever follows a trace from the browser finds the cluster's lines in it.
  A header that is no trace context starts a fresh one, and breaks nothing.

  Background:
    Given a running cluster

  Scenario: The client is part of a trace
    When a client submits a job within its trace
    Then all services narrate the job within that trace
    And the job's spans lead from service to service

  Scenario: The client knows of no traces
    When a client submits a job without a trace
    Then all services narrate the job within one fresh trace
    And the job's spans lead from service to service

  Scenario Outline: A traceparent that is none, because it is <why>
    When a client submits a job with the traceparent "<value>"
    Then all services narrate the job within one fresh trace

    Examples:
      | why                | value                                                      |
      | no words of it     | hello                                                      |
      | too short          | 00-0af7651916cd43dd8448eb211c80319c-b7ad6b71692033-01      |
      | in capitals        | 00-0AF7651916CD43DD8448EB211C80319C-B7AD6B7169203331-01    |
      | all zeros          | 00-00000000000000000000000000000000-b7ad6b7169203331-01    |
      | without a span     | 00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01    |
      | of a forbidden kind | ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01   |
      | longer than it is  | 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-xy |

  Scenario: A traceparent of a later version is understood as far as it is known
    When a client submits a job with the traceparent "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-later"
    Then all services narrate the job within that trace

  Scenario Outline: A tracestate of others changes nothing
    When a client submits a job within its trace, with the tracestate <state>
    Then all services narrate the job within that trace
    And the job's spans lead from service to service

    Examples:
      | state                      |
      | congo=t61rcWkgMzE,rojo=00f0 |
      | ,,,===                     |
      | narration=not-an-event-id  |
