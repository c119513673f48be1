import type { Reading } from './events.ts';
import type { ToolFormat } from './types.ts';

const solid = (text: string): string => text.replace(/\s/g, '');

/** Takes what is left of the input where the answer was cut off in the middle of `expected`. */
export function takeCutOff({ input }: Pick<Reading, 'input'>, ...expected: readonly string[]): boolean {
  const rest = solid(input.text);
  if (!input.ended || rest === '' || !expected.some(text => solid(text).startsWith(rest))) return false;
  input.take(input.text.length);
  return true;
}

/** The same for the beginning of one more call, which cannot be read yet. */
export function takeBegunCall(reading: Reading, { begin, between, call }: ToolFormat): void {
  const rest = solid(reading.input.text);
  for (const start of between === undefined ? [begin] : [begin, between]) {
    for (const name of reading.tools.keys()) {
      const head = start + headOf(call, name);
      if (takeCutOff(reading, head) || (reading.input.ended && rest.startsWith(solid(head)))) {
        reading.input.take(reading.input.text.length);
        return;
      }
    }
  }
}

/** What stands before the arguments, as far as it can be foretold. */
function headOf(call: ToolFormat['call'], name: string): string {
  let head = '';
  for (const part of call) {
    if (part.kind === 'text') head += part.text;
    else if (part.kind === 'name') head += name;
    else break;
  }
  return head;
}
