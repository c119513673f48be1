import { RealmError } from '../errors.ts';
import type { FillInTheMiddle } from '../tokenizer/types.ts';
import type { HeldJob } from './job.ts';
import type { Services } from './services.ts';

/** A prompt as the tenant's program gets it, and its tokens where the client sent those. */
export interface GivenPrompt {
  readonly text: string;
  readonly tokens?: Int32Array<ArrayBuffer>;
}

/** The prompts of a job as texts. Throws what is wrong with tokens, and where the model cannot fill in. */
export async function givenPrompts(services: Services, job: HeldJob, signal: AbortSignal): Promise<GivenPrompt[]> {
  const { prompts, suffix, model, tenant } = job;
  const around = suffix === undefined ? undefined : fillInTexts(model.tokenizer.fillInTheMiddle);
  const given: GivenPrompt[] = [];
  for (const [i, prompt] of prompts.entries()) {
    if (typeof prompt === 'string') {
      given.push({ text: around ? `${around.prefix}${prompt}${around.suffix}${suffix}${around.middle}` : prompt });
      continue;
    }
    const param = prompts.length === 1 ? 'prompt' : `prompt[${i}]`;
    const { context } = model.engine.info;
    const input = { tokens: prompt, param, context };
    const text = await services.text.run('promptText', { owner: tenant, model, signal }, input);
    given.push({ text, tokens: Int32Array.from(prompt) });
  }
  return given;
}

function fillInTexts(texts: FillInTheMiddle | undefined): FillInTheMiddle {
  if (texts) return texts;
  const message = 'suffix: the model has no tokens for filling in the middle; leave it out, or use a model that has';
  throw new RealmError('invalid_request', message, { param: 'suffix' });
}
