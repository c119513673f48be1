import type { loadModel as LoadModel, PageOptions } from '../load-in-page.ts';
import type { Model } from '../model.ts';
import type { PageWork, Run } from './rates.ts';

/** What ends an answer, in most vocabularies: none is to end early. */
const endings = new Map([0, 1, 2].map(token => [token, -100]));

/** A model that is loaded to be measured, and a run of it. The loader is handed in: a page has the library in a file of its own. */
export async function loadRun(
  loadModel: typeof LoadModel,
  source: Parameters<typeof LoadModel>[0],
  { prompt, gen }: PageWork,
  options: PageOptions = {},
): Promise<{ readonly model: Model; readonly run: Run }> {
  const model = await loadModel(source, { context: prompt + gen + 64, speculation: 'off', ...options });
  const run: Run = async (text, maxTokens) => {
    const start = performance.now();
    let first = 0;
    const answer = model.generate(text, { maxTokens, temperature: 0, logitBias: endings });
    for await (const _ of answer) first ||= performance.now() - start;
    const { usage, text: said } = await answer;
    return { first, last: performance.now() - start, promptTokens: usage.promptTokens, text: said };
  };
  return { model, run };
}
