/**
 * Breaks the long lines of the pages in Markdown: `npm run format` does it, a test asks for it. A paragraph or an entry of
 * a list with a line that is too long is filled anew; all others stay as they are, and so do tables and code.
 */
import { globSync, readFileSync, writeFileSync } from 'node:fs';

const width = 120;

/** Pages that people write; `docs/api.md` is made from the source. */
export const writtenPages = (): string[] =>
  globSync(['*.md', 'docs/*.md', 'examples/*.md', 'guest/*.md']).filter(page => page !== 'docs/api.md');

/** The page with its long lines broken. */
export function wrapped(page: string): string {
  const lines: string[] = [];
  let block: string[] = [];
  let code = false;
  const end = () => {
    lines.push(...(block.some(line => line.length > width) ? filled(block) : block));
    block = [];
  };
  for (const line of page.split('\n')) {
    const fence = /^\s*```/.test(line);
    const apart = fence || code || /^\s*($|\||#)/.test(line);
    if (apart || startsEntry(line)) end();
    if (apart) lines.push(line);
    else block.push(line);
    if (fence) code = !code;
  }
  end();
  return lines.join('\n');
}

const entry = /^\s*([-*+]|\d+\.)\s+/;
const startsEntry = (line: string): boolean => entry.test(line);

/** What a line must not begin with, or it would begin something else: it stays with the word before. */
const marks = / +(?=([-*+>|]|#+|\d+\.)( |$)|\|)/g;

/** A space where no line ends. */
const fixed = '\u00a0';

function filled(block: readonly string[]): string[] {
  const [first = ''] = block;
  const start = entry.exec(first)?.[0] ?? /^\s*/.exec(first)?.[0] ?? '';
  const indent = ' '.repeat(start.length);
  const text = block.join(' ').slice(start.length).replaceAll(/ +/g, ' ').trim();
  const [word = '', ...words] = text.replaceAll(marks, fixed).split(' ');
  const lines: string[] = [];
  let line = start + word;
  for (const next of words) {
    if (line.length + 1 + next.length <= width) line += ` ${next}`;
    else {
      lines.push(line);
      line = indent + next;
    }
  }
  return [...lines, line].map(each => each.replaceAll(fixed, ' '));
}

if (import.meta.main) {
  for (const page of writtenPages()) {
    const text = readFileSync(page, 'utf8');
    const better = wrapped(text);
    if (better !== text) writeFileSync(page, better);
  }
}
