Feature: One story, three voices
  What happened is told soberly, playfully or as dialogue. It stays the same story.

  Scenario: An order in each voice
    When the clerk tells of an order in three voices
    Then its story, told in the voice human, says:
      """
      Took the order of Ada
      Packed 2 apples
      """
    And its story, told in the voice cute, says:
      """
      A new order flutters in 🦋
      Packed 2 apples
      """
    And its story, told in the voice story, says:
      """
      "Two apples, please," said Ada. "Right away," said the clerk.
      Packed 2 apples
      """
    And the dialogue is kept as it was spoken
    And the rule "editorial" is held

  Scenario: A dialogue that nobody reads to its end
    When a dialogue of 300 characters is told
    Then the rule "editorial" is broken
