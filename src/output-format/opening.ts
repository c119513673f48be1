import type { ToolFormat } from './types.ts';

/** What a call begins with. `marker`: what is looked for in the answer; absent where calls stand at its very beginning. */
export function openingOf({ begin, call }: ToolFormat): { marker?: string } {
  const first = call[0];
  const text = (begin + (first?.kind === 'text' ? first.text : '')).trimStart();
  const [marker = ''] = text.split(/\s/);
  return marker === '' || /^(\{|\[\{)/.test(marker) ? {} : { marker };
}
