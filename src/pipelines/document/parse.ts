import { isAlias, isMap, LineCounter, type Node, parseDocument, visit, type YAMLMap } from 'yaml';
import { pipelineLimits } from '../limits.ts';
import { Mistakes } from './mistakes.ts';

export interface PipelineDocument {
  readonly root: YAMLMap;
  readonly source: string;
  readonly mistakes: Mistakes;
}

/** A YAML or JSON document, its nodes with their places. Throws `pipeline_invalid`. */
export function parse(source: string, file: string): PipelineDocument {
  const lineCounter = new LineCounter();
  const mistakes = new Mistakes(file, lineCounter);
  checkSize(source, mistakes);
  mistakes.check();
  try {
    const document = parseDocument(source, { lineCounter, prettyErrors: false, merge: false });
    for (const { pos, message } of [...document.errors, ...document.warnings]) mistakes.add(pos[0], message);
    visit(document, { Node: (_, node, path) => checkNode(node, path.length, mistakes) });
    if (!isMap(document.contents)) mistakes.add(document.contents?.range?.[0] ?? 0, 'a pipeline is a mapping');
    mistakes.check();
    return { root: document.contents as YAMLMap, source, mistakes };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    mistakes.add(0, tooDeep);
    mistakes.check();
    throw error;
  }
}

const tooDeep = `the document nests deeper than ${pipelineLimits.nesting} levels`;

/** What would cost the parser much more than the document is long. */
function checkSize(source: string, mistakes: Mistakes): void {
  if (source.length > pipelineLimits.document) {
    mistakes.add(0, `the document has more than ${pipelineLimits.document} characters`);
  }
  let open = 0;
  let most = 0;
  for (const bracket of source.matchAll(/[[\]{}]/g)) {
    open = Math.max(0, open + (bracket[0] === '[' || bracket[0] === '{' ? 1 : -1));
    most = Math.max(most, open);
  }
  // Templates may have brackets that nobody closes, so this is far above what the document may nest.
  const compact = /(?:^|\n)[ ]*(?:[-?:] +){64}/.test(source);
  if (most > 10 * pipelineLimits.nesting || compact) mistakes.add(0, tooDeep);
}

function checkNode(node: Node, depth: number, mistakes: Mistakes): void {
  const at = node.range?.[0] ?? 0;
  // A pair and its value are two.
  if (depth > 2 * pipelineLimits.nesting) mistakes.add(0, tooDeep);
  if (isAlias(node)) mistakes.add(at, 'an alias cannot be used in a pipeline: write out what it stands for');
  else if ('anchor' in node && node.anchor) mistakes.add(at, 'an anchor cannot be used in a pipeline: leave it out');
}
