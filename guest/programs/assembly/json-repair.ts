/** JSON repair: what the model writes freely is kept as far as it is JSON; the rest is written again under a constraint. */
import { isJson, skipSpace, validLength } from '../../assembly/json';
import { Constraint, Request, say, textOfTokens, Wish } from '../../assembly/sequences';

export { realm_alloc } from '../../assembly/sequences';

/** What it must be at least. */
const SCHEMA = '{"type":["object","array"]}';

export function run(ptr: usize, len: u32): usize {
  const request = new Request(ptr, len);
  const sequence = request.sequence();
  const repaired = sequence.fork(1)[0];
  const draft = sequence.generate(new Wish(request.maxTokens));
  const text = draft.text;
  if (isJson(text)) {
    say(text);
    return 0;
  }
  // Whole tokens that end before the first mistake.
  const valid = validLength(text);
  let kept = draft.tokens.length;
  while (kept > 0 && textOfTokens(request.model, draft.tokens.slice(0, kept)).length > valid) kept--;
  repaired.constrain(Constraint.schema(request.model, SCHEMA));
  const whole = repaired.length;
  for (; kept >= 0; kept--) {
    // What the schema forbids says so, and a token less is kept.
    repaired.truncate(whole);
    repaired.push(draft.tokens.slice(0, kept));
    const rest = repaired.generate(new Wish(request.maxTokens));
    if (rest.error !== 0) continue;
    const all = textOfTokens(request.model, draft.tokens.slice(0, kept)) + rest.text;
    if (!isJson(all)) continue;
    say(all.substring(skipSpace(all, 0)));
    return 0;
  }
  // The limit leaves no room for more.
  say('{}');
  return 0;
}
