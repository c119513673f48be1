import { z } from 'zod';
import { RealmError } from '../../errors.ts';
import type { Token } from '../../tokenizer/types.ts';
import { readBody } from '../body.ts';
import { optional } from '../fields.ts';
import type { Route } from '../route.ts';
import { findModel } from '../services.ts';

const schema = z.object({ model: optional(z.string()), tokens: z.array(z.int().min(0)) });

export const detokenizeRoute: Route = {
  method: 'POST',
  path: '/detokenize',
  async handle(context) {
    const { model, tokens } = await readBody(context.req, schema);
    const { services, tenant } = context.var;
    const { tokenizer } = findModel(services, tenant, model).model;
    const wrong = tokens.findIndex(token => token >= tokenizer.vocabSize);
    if (wrong >= 0) {
      const param = `tokens[${wrong}]`;
      throw new RealmError('invalid_request', `${param}: must be less than the vocabulary's ${tokenizer.vocabSize}`, {
        param,
      });
    }
    return context.json({ content: tokenizer.decode(tokens as Token[], { special: true }) });
  },
};
