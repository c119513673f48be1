import { measureDrafting } from '../drafting.ts';
import { type Figure, ratioFigure, type Setup } from './figures.ts';

/** Drafts by prompt lookup beside plain decoding. */
export async function lookup({ model, tokenizer, rounds }: Setup): Promise<Figure[]> {
  const drafted = await measureDrafting(model, tokenizer, 2 * rounds);
  const least = { 'copying a text': 1.5, 'making one up': 0.97 };
  return drafted
    .filter(({ mode }) => mode !== 'plain')
    .map(({ task, ratios }) =>
      ratioFigure(`prompt lookup, ${task}: tokens/s, to none`, ratios, { least: least[task] }),
    );
}
