import { buffer } from 'node:stream/consumers';
import type { Command } from 'commander';
import type { Token, Tokenizer } from '../tokenizer/types.ts';
import { print, visible } from './output.ts';

interface Options {
  readonly json?: boolean;
  readonly bos: boolean;
  readonly parseSpecial: boolean;
}

export function addTokenize(realm: Command): void {
  realm
    .command('tokenize')
    .argument('<file>', 'a model, or a file with only a vocabulary')
    .argument('[text]', 'the text; without it, standard input')
    .description('Turn text into tokens, as the model would read it.')
    .option('--no-bos', 'leave out the beginning-of-text token that the model asks for')
    .option('--no-parse-special', 'read the text of special tokens as ordinary text')
    .option('--json', 'print the ids as a JSON array')
    .addHelpText(
      'after',
      '\nExamples:\n  $ realm tokenize smollm2-135m "Hello, world"\n  $ realm tokenize model.gguf --json < text.txt',
    )
    .action(tokenize);
}

async function tokenize(file: string, given: string | undefined, options: Options): Promise<void> {
  const { openModelFile } = await import('./open-file.ts');
  const { createTokenizer } = await import('../tokenizer/create.ts');
  const gguf = await openModelFile(file);
  try {
    const tokenizer = createTokenizer(gguf.metadata);
    const text = given ?? (await standardInput());
    const addSpecial = options.bos && wantsBos(tokenizer);
    const tokens = tokenizer.encode(text, { addSpecial, parseSpecial: options.parseSpecial });
    print(options.json ? `[${tokens.join(', ')}]` : tokens.map(token => line(tokenizer, token)).join('\n'));
  } finally {
    await gguf.close();
  }
}

/** Byte for byte: a byte order mark is text too. */
async function standardInput(): Promise<string> {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(await buffer(process.stdin));
}

/** As llama-tokenize: only a model that begins texts with a token gets special tokens around them at all. */
function wantsBos(tokenizer: Tokenizer): boolean {
  return tokenizer.bos !== undefined && tokenizer.encode('', { addSpecial: true })[0] === tokenizer.bos;
}

function line(tokenizer: Tokenizer, token: Token): string {
  const piece = new TextDecoder().decode(tokenizer.bytes(token, { special: true }));
  return `${String(token).padStart(6)} -> '${visible(piece).replaceAll('\n', '\\n').replaceAll('\t', '\\t')}'`;
}
