import type { Token, Tokenizer } from '../../tokenizer/types.ts';
import type { Route } from '../route.ts';
import { takeModel } from '../services.ts';

/** vLLM's: what a client that encodes through the server has to know of the vocabulary, such as lm_eval. */
export const tokenizerInfoRoute: Route = {
  method: 'GET',
  path: '/tokenizer_info',
  summary: 'Where texts begin and end, and the chat template',
  async handle(context) {
    const { services, exchange, tenant } = context.var;
    const { model } = await takeModel(services, exchange, tenant, context.req.query('model'));
    const { tokenizer, template } = model;
    return context.json({
      bos_token: textOf(tokenizer, tokenizer.bos),
      eos_token: textOf(tokenizer, tokenizer.eos),
      chat_template: template?.source ?? null,
    });
  },
};

function textOf(tokenizer: Tokenizer, token: Token | undefined): string | null {
  return token === undefined ? null : tokenizer.decode([token], { special: true });
}
