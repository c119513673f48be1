/** A GGUF file of a BERT in Hugging Face's format, with the names, types and keys that llama.cpp's converter gives it. */
import type { GgufModel, MetaValue, TensorPlan } from '../synthetic/gguf-writer.ts';
import { encodeQ8 } from './q8.ts';
import type { SafeTensor } from './safetensors.ts';

export type BertType = 'F16' | 'Q8_0';

/** Of config.json. */
export interface BertConfig {
  readonly _name_or_path?: string;
  readonly hidden_size: number;
  readonly intermediate_size: number;
  readonly layer_norm_eps: number;
  readonly max_position_embeddings: number;
  readonly num_attention_heads: number;
  readonly num_hidden_layers: number;
  readonly type_vocab_size: number;
}

/** Of tokenizer.json. */
export interface WordPieceJson {
  readonly model: { readonly vocab: Readonly<Record<string, number>> };
  readonly added_tokens: readonly { readonly id: number; readonly content: string; readonly special: boolean }[];
}

export interface BertFiles {
  readonly name: string;
  readonly config: BertConfig;
  readonly tokenizer: WordPieceJson;
  readonly tensors: ReadonlyMap<string, SafeTensor>;
}

const u32 = (value: number): MetaValue => ({ type: 'u32', value });
const text = (value: string): MetaValue => ({ type: 'string', value });

/** llama.cpp's numbers: of files with this type for most tensors, and of pooling by the mean. */
const fileTypes: Record<BertType, number> = { F16: 1, Q8_0: 7 };
const meanPooling = 1;

export function bertGguf({ name, config, tokenizer, tensors }: BertFiles, type: BertType): GgufModel {
  const metadata = new Map<string, MetaValue>([
    ['general.architecture', text('bert')],
    ['general.name', text(name)],
    ['general.file_type', u32(fileTypes[type])],
    ['general.quantization_version', u32(2)],
    ['bert.block_count', u32(config.num_hidden_layers)],
    ['bert.context_length', u32(config.max_position_embeddings)],
    ['bert.embedding_length', u32(config.hidden_size)],
    ['bert.feed_forward_length', u32(config.intermediate_size)],
    ['bert.attention.head_count', u32(config.num_attention_heads)],
    ['bert.attention.layer_norm_epsilon', { type: 'f32', value: config.layer_norm_eps }],
    ['bert.attention.causal', { type: 'bool', value: false }],
    ['bert.pooling_type', u32(meanPooling)],
    ['tokenizer.ggml.token_type_count', u32(config.type_vocab_size)],
    ...tokenizerMetadata(tokenizer),
  ]);
  const plans = [...tensors].flatMap(([name, tensor]) => {
    const renamed = ggufName(name);
    return renamed === undefined ? [] : [planOf(renamed, tensor, type)];
  });
  return { metadata, tensors: plans };
}

/** Pieces inside a word lose their ##, those that begin one get the sign of a space. */
function tokenizerMetadata({ model, added_tokens: added }: WordPieceJson): [string, MetaValue][] {
  const special = new Set(added.filter(each => each.special).map(({ id }) => id));
  const words = Object.entries(model.vocab).sort(([, a], [, b]) => a - b);
  const tokens = words.map(([word, id]) => {
    if (special.has(id)) return word;
    return word.startsWith('##') ? word.slice(2) : `▁${word}`;
  });
  const idOf = (word: string) => u32(model.vocab[word] ?? 0);
  return [
    ['tokenizer.ggml.model', text('bert')],
    ['tokenizer.ggml.pre', text('jina-v2-en')],
    ['tokenizer.ggml.tokens', { array: 'string', values: tokens }],
    ['tokenizer.ggml.token_type', { array: 'i32', values: tokens.map((_, id) => (special.has(id) ? 3 : 1)) }],
    ['tokenizer.ggml.unknown_token_id', idOf('[UNK]')],
    ['tokenizer.ggml.seperator_token_id', idOf('[SEP]')],
    ['tokenizer.ggml.padding_token_id', idOf('[PAD]')],
    ['tokenizer.ggml.cls_token_id', idOf('[CLS]')],
    ['tokenizer.ggml.mask_token_id', idOf('[MASK]')],
  ];
}

const ends: Record<string, string> = {
  'embeddings.word_embeddings': 'token_embd',
  'embeddings.position_embeddings': 'position_embd',
  'embeddings.token_type_embeddings': 'token_types',
  'embeddings.LayerNorm': 'token_embd_norm',
};
const inLayers: Record<string, string> = {
  'attention.self.query': 'attn_q',
  'attention.self.key': 'attn_k',
  'attention.self.value': 'attn_v',
  'attention.output.dense': 'attn_output',
  'attention.output.LayerNorm': 'attn_output_norm',
  'intermediate.dense': 'ffn_up',
  'output.dense': 'ffn_down',
  'output.LayerNorm': 'layer_output_norm',
};

/** Undefined for what embeddings do not need, such as BERT's own pooler. */
function ggufName(name: string): string | undefined {
  const [, module = '', kind = ''] = /^(.*)\.(weight|bias)$/.exec(name) ?? [];
  const [, layer, part = ''] = /^encoder\.layer\.(\d+)\.(.*)$/.exec(module) ?? [];
  const found = layer === undefined ? ends[module] : inLayers[part] && `blk.${layer}.${inLayers[part]}`;
  return found && `${found}.${kind}`;
}

/** Vectors and the tables that are added to embeddings stay F32. */
function planOf(name: string, { shape, values }: SafeTensor, wanted: BertType): TensorPlan {
  const isTable = /^(position_embd|token_types)\./.test(name);
  const type = shape.length < 2 || isTable ? 'F32' : wanted;
  const encode = { F32: asBytes, F16: (all: Float32Array) => asBytes(new Float16Array(all)), Q8_0: encodeQ8 }[type];
  return { name, shape: shape.toReversed(), type, bytes: () => [encode(values)] };
}

const asBytes = (values: Float32Array | Float16Array): Uint8Array => new Uint8Array(values.buffer);
