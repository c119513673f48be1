/** An agent with a tool: the model either answers or calls one, in a form that it cannot get wrong, until it answers. */
import { elements, field, quote, textOf } from '../../assembly/json';
import {
  Constraint,
  callTool,
  emit,
  lastError,
  parseAnswer,
  Request,
  Sequence,
  say,
  Wish,
} from '../../assembly/sequences';

export { realm_alloc } from '../../assembly/sequences';

const STEPS = 8;

/** What the tool says, or why it says nothing: the model may try something else. */
function resultOf(call: string): string {
  const answer = callTool(textOf(field(call, 'name')), textOf(field(call, 'arguments')));
  return answer === '' ? 'failed: ' + lastError() : answer;
}

export function run(ptr: usize, len: u32): usize {
  const request = new Request(ptr, len);
  const tools = request.tools;
  let messages = request.messages.slice(0, -1);
  const held = Constraint.tools(request.model, tools);
  for (let step = 0; step < STEPS; step++) {
    const sequence = Sequence.of(request.model);
    sequence.chat('{"messages":' + messages + '],"tools":' + tools + '}');
    sequence.constrain(held);
    const tokens = sequence.generate(new Wish(request.maxTokens)).tokens;
    const answer = parseAnswer(request.model, tools, tokens);
    const calls = elements(field(answer, 'tool_calls'));
    if (calls.length === 0) {
      say(textOf(field(answer, 'content')));
      return 0;
    }
    let asked = '';
    let told = '';
    for (let i = 0; i < calls.length; i++) {
      const id = '"call_' + step.toString() + '_' + i.toString() + '"';
      const call = calls[i];
      emit(3, '{"called":' + field(call, 'name') + '}');
      const what = '{"name":' + field(call, 'name') + ',"arguments":' + quote(textOf(field(call, 'arguments'))) + '}';
      asked += (i > 0 ? ',' : '') + '{"id":' + id + ',"type":"function","function":' + what + '}';
      told += ',{"role":"tool","tool_call_id":' + id + ',"content":' + quote(resultOf(call)) + '}';
    }
    messages += ',{"role":"assistant","content":"","tool_calls":[' + asked + ']}' + told;
    sequence.free();
  }
  say('I could not find out within ' + STEPS.toString() + ' steps.');
  return 0;
}
