/**
 * Writes docs/api.md from the declarations that tsc makes of src/index.ts, comments and all: each export, in the order of that
 * file, functions and classes before types. tsc writes every declaration in the same shape, so a few patterns read it.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

interface Export {
  /** In the file that declares it, and in the library. */
  readonly local: string;
  readonly name: string;
  readonly file: string;
}

interface Declared {
  readonly comment: string;
  readonly text: string;
}

const root = fileURLToPath(new URL('..', import.meta.url));

/** The page as it should be now. */
export function apiPage(): string {
  const folder = mkdtempSync(join(tmpdir(), 'realm-api-'));
  try {
    const tsc = [join(root, 'node_modules/.bin/tsc'), '-p', join(root, 'tsconfig.build.json'), '--emitDeclarationOnly'];
    execFileSync(process.execPath, [...tsc, '--outDir', folder], { stdio: 'inherit' });
    return page(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function page(folder: string): string {
  const exports = exportsOf(readFileSync(join(folder, 'index.d.ts'), 'utf8'));
  const sections = exports.map(each => {
    const found = declarationsOf(readFileSync(join(folder, each.file), 'utf8'), each.local);
    const [first] = found;
    if (!first) throw new Error(`${each.file} declares no ${each.local}`);
    return { place: placeOf(first.text), text: inLibraryNames(section(each, found), exports) };
  });
  const ordered = sections.sort((a, b) => a.place - b.place);
  return `${introduction}\n${ordered.map(({ text }) => text).join('\n')}`;
}

/** Functions come first, then classes, then types. */
function placeOf(declaration: string): number {
  return [/^export (declare )?function/, /^export (declare )?class/, /^export/].findIndex(kind =>
    kind.test(declaration),
  );
}

const introduction = `# The library

Made from the comments in the source by \`npm run docs:api\`; change them there. \`errors.md\` explains the codes of errors.
`;

/** \`export { A, type B as C } from './file.js';\` */
function exportsOf(index: string): Export[] {
  return [...index.matchAll(/^export (?:type )?\{([^}]*)\} from '\.\/([^']+)\.[jt]s';/gm)].flatMap(
    ([, names = '', file]) =>
      names
        .split(',')
        .filter(each => each.trim() !== '')
        .map(each => {
          const [local = '', name = local] = each
            .trim()
            .replace(/^type /, '')
            .split(' as ');
          return { local, name, file: `${file}.d.ts` };
        }),
  );
}

/** All declarations of a name (a function may have several), each with the comment before it. */
function declarationsOf(source: string, name: string): Declared[] {
  const pattern = new RegExp(`^export (declare )?(class|function|interface|type) ${name}\\b`);
  return statements(source, '').filter(({ text }) => pattern.test(text));
}

/** The statements, or members, that stand so far in, with their comments. What is further in, or closes a bracket, goes on. */
function statements(source: string, indent: string): Declared[] {
  const found: { comment: string; text: string }[] = [];
  let comment: string | undefined;
  for (const line of source.split('\n')) {
    const begins = line.startsWith(indent) && /^[^\s})]/.test(line.slice(indent.length));
    if (comment !== undefined && !comment.trimEnd().endsWith('*/')) comment += `${line}\n`;
    else if (begins && line.startsWith(`${indent}/**`)) comment = `${line}\n`;
    else if (begins) {
      found.push({ comment: comment ?? '', text: line });
      comment = undefined;
    } else if (found.length > 0) found.at(-1)!.text += `\n${line}`;
  }
  return found.map(({ comment, text }) => ({ comment, text: text.trim() }));
}

function section({ local, name }: Export, declared: readonly Declared[]): string {
  const named = declared.map(({ comment, text }) => ({ comment, text: text.replace(` ${local}`, ` ${name}`) }));
  const [first] = named;
  if (!first?.comment) throw new Error(`${name} has no comment`);
  const body = /^export (declare class|interface)/.test(first.text) ? withMembers(first) : plain(named);
  return `## ${name}\n\n${body}`;
}

/** A function or a type. */
function plain(declared: readonly Declared[]): string {
  return declared.map(({ comment, text }) => `${code(text)}\n${prose(comment)}`).join('\n');
}

/** Nobody calls these by their names. */
const hidden = /^(#private|constructor\b)/;

/** A class or an interface: its members are listed. */
function withMembers({ comment, text }: Declared): string {
  const open = text.indexOf('{\n');
  if (open < 0) return plain([{ comment, text }]);
  const members = statements(text.slice(open + 2, text.lastIndexOf('}')), '    ');
  const list = members
    .filter(member => !hidden.test(member.text))
    .map(member => {
      const words = prose(member.comment)
        .trim()
        .replaceAll(/\s*\n\s*/g, ' ');
      return `- \`${oneLine(member.text)}\`${words && `<br>${words}`}\n`;
    });
  return `${code(text.slice(0, open).trim())}\n${prose(comment)}\n${list.join('')}`;
}

function oneLine(text: string): string {
  return text
    .replace(/;$/, '')
    .replaceAll(/\s*\n\s*/g, ' ')
    .replaceAll('; }', ' }')
    .replace(/^readonly /, '');
}

function code(text: string): string {
  const shown = text.replace(/^export (declare )?/, '').replace(/;$/, '');
  return `\`\`\`ts\n${shown}\n\`\`\`\n`;
}

/** A comment's words; its tags become sentences. */
function prose(comment: string): string {
  const words = comment
    .replace(/^\s*\/\*\*|\*\/\s*$/g, '')
    .replaceAll(/^\s*\* ?/gm, '')
    .replaceAll(/\{@link ([\w.]+)\}/g, '`$1`')
    .replaceAll(/^@param (\w+) /gm, '\n`$1`: ')
    .replaceAll(/^@throws RealmError /gm, '\nThrows ')
    .replaceAll(/\n{3,}/g, '\n\n')
    .trim();
  return words === '' ? '' : `${words}\n`;
}

/** What the library exports under another name is called by that. */
function inLibraryNames(text: string, exports: readonly Export[]): string {
  const renamed = new Map(exports.flatMap(({ local, name }) => (local === name ? [] : [[local, name]])));
  const own = new Set(exports.map(({ name }) => name));
  return text.replaceAll(/\b[A-Z]\w+\b/g, word => (own.has(word) ? word : (renamed.get(word) ?? word)));
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href)
  writeFileSync(join(root, 'docs/api.md'), apiPage());
