import type { z } from 'zod';

/** One mistake in a configuration or a request: where it is (`tenants[1].keys[0]`) and what is wrong. */
export interface Issue {
  readonly path: string;
  readonly message: string;
  /** Of the refusal, where it is not that the value is wrong. */
  readonly code?: string | undefined;
}

/** Validates `value`; either the parsed value or every mistake in it. */
export function check<T>(schema: z.ZodType<T>, value: unknown): { value: T } | { issues: Issue[] } {
  const result = schema.safeParse(value, { error: issue => describe(issue) });
  return result.success ? { value: result.data } : { issues: result.error.issues.flatMap(toIssues) };
}

/** `path: message`, or the message alone for the root. */
export function issueText({ path, message }: Issue): string {
  return path === '' ? message : `${path}: ${message}`;
}

export function pathText(path: readonly PropertyKey[]): string {
  return path
    .map((part, i) => (typeof part === 'number' ? `[${part}]` : `${i === 0 ? '' : '.'}${String(part)}`))
    .join('');
}

function toIssues(issue: z.core.$ZodIssue): Issue[] {
  if (issue.code === 'custom' && typeof issue.params?.code === 'string')
    return [{ path: pathText(issue.path), message: issue.message, code: issue.params.code }];
  if (issue.code !== 'unrecognized_keys') return [{ path: pathText(issue.path), message: issue.message }];
  return issue.keys.map(key => ({ path: pathText([...issue.path, key]), message: 'is not a known key' }));
}

function describe(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code === 'invalid_type') {
    if (issue.input === undefined) return 'is required';
    return `must be ${typeNames[issue.expected as string] ?? issue.expected}`;
  }
  if (issue.code === 'invalid_union') return unionText(issue);
  if (issue.code === 'too_small')
    return `must ${size(issue.origin as string, true, issue.inclusive !== false, issue.minimum)}`;
  if (issue.code === 'too_big')
    return `must ${size(issue.origin as string, false, issue.inclusive !== false, issue.maximum)}`;
  if (issue.code === 'invalid_value') return oneOf(issue.values as unknown[]);
  // A record's key: what its own schema says.
  if (issue.code === 'invalid_key') return (issue.issues as { message: string }[])[0]?.message;
  return undefined;
}

const oneOf = (values: readonly unknown[]) => `must be ${values.map(value => JSON.stringify(value)).join(' or ')}`;

/** Of several shapes none fits: which there are, by the field that tells them apart or by their types. */
function unionText({ input, options, discriminator, errors }: z.core.$ZodRawIssue): string | undefined {
  const kind = (input as Record<string, unknown> | undefined)?.[discriminator as string];
  if (Array.isArray(options)) return kind === undefined ? 'is required' : oneOf(options);
  if (input === undefined) return 'is required';
  const mustBe = (errors as z.core.$ZodIssue[][]).map(([first]) => first?.path.length === 0 && first.message);
  const kinds = mustBe.map(words => (words && /^must be (.*)/.exec(words)?.[1]) || undefined);
  return kinds.includes(undefined) ? undefined : `must be ${kinds.join(' or ')}`;
}

const typeNames: Record<string, string> = {
  int: 'an integer',
  number: 'a number',
  string: 'a string',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
};

const units: Record<string, string> = { string: 'characters', array: 'entries' };

function size(origin: string, least: boolean, inclusive: boolean, bound: unknown): string {
  const unit = units[origin];
  if (unit !== undefined) return `have at ${least ? 'least' : 'most'} ${bound} ${unit}`;
  if (inclusive) return `be at ${least ? 'least' : 'most'} ${bound}`;
  return `be ${least ? 'more' : 'less'} than ${bound}`;
}
