Feature: What a client lets slip, no service tells
  Prompts and mistakes hold passwords and keys. They are on no line, no stream and in no error.

  Background:
    Given a running cluster

  Scenario Outline: <secret> in a prompt
    Given a client that is careless with <secret>
    When it is in the prompt of a job
    Then no service told it to anyone

    Examples:
      | secret               |
      | a bearer token       |
      | an API key           |
      | a cloud's access key |
      | a JWT                |
      | a password in a URL  |
      | a password           |

  Scenario Outline: <secret> in a prompt that no model has room for
    Given a client that is careless with <secret>
    When it is in the prompt of a job that fails
    Then no service told it to anyone

    Examples:
      | secret         |
      | a bearer token |
      | an API key     |

  Scenario Outline: <secret> in a mistake
    Given a client that is careless with <secret>
    When it is in what the orchestrator refuses
    Then no service told it to anyone

    Examples:
      | secret               |
      | a bearer token       |
      | an API key           |
      | a cloud's access key |
      | a JWT                |
      | a password in a URL  |
      | a password           |

  Scenario Outline: <secret> in headers and ids
    Given a client that is careless with <secret>
    When it is in every header that the cluster reads, and in a correlation id
    Then no service told it to anyone

    Examples:
      | secret               |
      | a bearer token       |
      | an API key           |
      | a cloud's access key |
      | a JWT                |
      | a password in a URL  |
      | a password           |
