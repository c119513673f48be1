/** What an engine has done since its model was loaded; EngineStats says what each number is. */
export class Counters {
  promptTokens = 0;
  completionTokens = 0;
  draftedTokens = 0;
  acceptedTokens = 0;
  steps = 0;
  preemptedSteps = 0;
}
