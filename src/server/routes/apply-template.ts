import { z } from 'zod';
import type { TextRange } from '../../tokenizer/types.ts';
import { readBody } from '../body.ts';
import { chatFields, toChat } from '../chat-request.ts';
import { optional } from '../fields.ts';
import { renderChat } from '../prompt.ts';
import type { Route } from '../route.ts';
import { findModel } from '../services.ts';

/** The text that a chat request with these messages would give to the model, and where it is not the template's own. */
export const applyTemplateRoute: Route = {
  method: 'POST',
  path: '/apply-template',
  async handle(context) {
    const { services, tenant } = context.var;
    const schema = z.object({ model: optional(z.string()), ...chatFields(services.limits) });
    const body = await readBody(context.req, schema);
    const { model } = findModel(services, tenant, body.model);
    const options = { locate: true, parseSpecial: tenant.parseSpecial };
    const { text, values } = renderChat(model, toChat(body), options);
    return context.json({ prompt: text, values: inCodePoints(text, values) });
  },
};

/** Places as most languages count them, not in UTF-16 code units. */
function inCodePoints(text: string, ranges: readonly TextRange[]): TextRange[] {
  let [units, points] = [0, 0];
  const pointAt = (place: number) => {
    for (; units < place; points++) units += text.codePointAt(units)! > 0xffff ? 2 : 1;
    return points;
  };
  return ranges.map(([start, end]) => [pointAt(start), pointAt(end)]);
}
