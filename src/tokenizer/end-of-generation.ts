import type { Metadata } from '../gguf/types.ts';
import { kinds } from './kinds.ts';
import { tokenId } from './metadata.ts';
import type { FillInTheMiddle } from './types.ts';

/** Texts that end a turn or a text in the models that we know, whatever the file says of them. */
const ENDINGS = [
  '<|eot_id|>',
  '<|im_end|>',
  '<|end|>',
  '<|return|>',
  '<|call|>',
  '<|flush|>',
  '<|calls|>',
  '<end_of_turn>',
  '<|endoftext|>',
  '</s>',
  '<|eom_id|>',
  '<EOT>',
  '_<EOT>',
  '[EOT]',
  '[EOS]',
  '<|end_of_text|>',
  '<end_of_utterance>',
  '<eos>',
  '<turn|>',
  '<|tool_response>',
  '<｜end▁of▁sentence｜>',
  '[e~[',
];

/** The tokens of fill-in-the-middle, in the spellings of the models that have them; the last three end a text. */
const FILL_IN_THE_MIDDLE: readonly { key: string; ends: boolean; names: readonly string[] }[] = [
  {
    key: 'fim_pre_token_id',
    ends: false,
    names: [
      '<|fim_prefix|>',
      '<fim-prefix>',
      '<fim_prefix>',
      '<｜fim▁begin｜>',
      '<PRE>',
      '▁<PRE>',
      '<|code_prefix|>',
      '<|prefix|>',
    ],
  },
  {
    key: 'fim_suf_token_id',
    ends: false,
    names: [
      '<|fim_suffix|>',
      '<fim-suffix>',
      '<fim_suffix>',
      '<｜fim▁hole｜>',
      '<SUF>',
      '▁<SUF>',
      '<|code_suffix|>',
      '<|suffix|>',
    ],
  },
  {
    key: 'fim_mid_token_id',
    ends: false,
    names: [
      '<|fim_middle|>',
      '<fim-middle>',
      '<fim_middle>',
      '<｜fim▁end｜>',
      '<MID>',
      '▁<MID>',
      '<|code_middle|>',
      '<|middle|>',
    ],
  },
  { key: 'fim_pad_token_id', ends: true, names: ['<|fim_pad|>', '<fim-pad>', '<fim_pad>', '<PAD>', '[PAD]'] },
  {
    key: 'fim_rep_token_id',
    ends: true,
    names: ['<|fim_repo|>', '<|repo_name|>', '<fim-repo>', '<REPO>', '<reponame>'],
  },
  { key: 'fim_sep_token_id', ends: true, names: ['<|file_sep|>'] },
];

type Role = (typeof FILL_IN_THE_MIDDLE)[number];

export const fillInTheMiddleKeys = FILL_IN_THE_MIDDLE.map(({ key }) => key);

const named = (ids: ReadonlyMap<string, number>, { names }: Role) =>
  names.map(name => ids.get(name)).find(found => found !== undefined);

/** The texts of the three tokens with which models fill in; undefined where one is missing. */
export function fillInTexts(
  texts: readonly string[],
  ids: ReadonlyMap<string, number>,
  metadata: Metadata,
): FillInTheMiddle | undefined {
  const [prefix, suffix, middle] = FILL_IN_THE_MIDDLE.slice(0, 3).map(role => {
    const id = tokenId(metadata, role.key, texts.length) ?? named(ids, role);
    return id === undefined ? undefined : texts[id];
  });
  return prefix && suffix && middle ? { prefix, suffix, middle } : undefined;
}

/**
 * The tokens that end a generation: those that the file marks (`marked`) and those with a well-known text. Such texts
 * are often mislabelled as ordinary tokens, so their kind is corrected in `tokenKinds`, as llama.cpp does.
 */
export function markSpecialNames(
  ids: ReadonlyMap<string, number>,
  tokenKinds: Uint8Array,
  marked: readonly (number | undefined)[],
  metadata: Metadata,
): Set<number> {
  const endings = new Set(marked.filter(id => id !== undefined));
  for (const role of FILL_IN_THE_MIDDLE) {
    const { key, ends } = role;
    const given = tokenId(metadata, key, tokenKinds.length);
    const id = given ?? named(ids, role);
    if (id === undefined) continue;
    if (given === undefined) tokenKinds[id] = kinds.control;
    if (ends) endings.add(id);
  }
  for (const name of ENDINGS) {
    const id = ids.get(name);
    if (id === undefined) continue;
    endings.add(id);
    tokenKinds[id] = kinds.control;
  }
  applyExceptions(ids, tokenKinds, endings);
  return endings;
}

function applyExceptions(ids: ReadonlyMap<string, number>, tokenKinds: Uint8Array, endings: Set<number>): void {
  const relabel = (name: string, kind: number) => {
    const id = ids.get(name);
    if (id !== undefined) tokenKinds[id] = kind;
    return id ?? -1;
  };
  const ends = (name: string) => endings.has(ids.get(name) ?? -1);
  // Parts of an answer in the harmony format. llama.cpp calls them user-defined, so that users could write them too.
  for (const name of ['<|channel|>', '<|message|>', '<|start|>', '<|constrain|>']) relabel(name, kinds.control);
  const harmony = ends('<|return|>') && (ends('<|call|>') || ends('<|calls|>'));
  const solar = ends('<|flush|>') && (ends('<|call|>') || ends('<|calls|>'));
  if ((harmony || solar) && ends('<|end|>')) endings.delete(relabel('<|end|>', kinds.control));
  // Gemma 4 has an HTML strike-through that looks like the end of a text.
  if (ends('<|tool_response>') && ends('</s>')) endings.delete(relabel('</s>', kinds.normal));
}
