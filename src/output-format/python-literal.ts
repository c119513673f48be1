/** A Python literal (as `repr` writes it) as JSON text; undefined for what is none. Numbers, strings, True, False, None, lists, tuples, dictionaries. */
export function pythonToJson(text: string): string | undefined {
  const tokens = text.match(/\s+|[{}[\](),:]|'(?:[^'\\]|\\[\s\S])*'|"(?:[^"\\]|\\[\s\S])*"|[^\s{}[\](),:'"]+/g) ?? [];
  if (tokens.join('') !== text) return undefined;
  const words: Readonly<Record<string, string>> = { True: 'true', False: 'false', None: 'null', '(': '[', ')': ']' };
  const json = tokens.map(token => words[token] ?? (/^['"]/.test(token) ? JSON.stringify(unescaped(token)) : token));
  const written = json.join('').replace(/,(\s*[\]}])/g, '$1');
  return isJson(written) ? written : undefined;
}

const escapes: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  b: '\b',
  f: '\f',
  v: '\v',
  a: '\x07',
  0: '\0',
  '\n': '',
};

function unescaped(quoted: string): string {
  return quoted
    .slice(1, -1)
    .replace(/\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([\s\S]))/g, (whole, x, u, U, other) => {
      const code = x ?? u ?? U;
      if (code !== undefined) return String.fromCodePoint(Number.parseInt(code, 16));
      return escapes[other] ?? (/['"\\]/.test(other) ? other : whole);
    });
}

export function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** A value as Python writes it, texts in single quotes. */
export function pythonText(value: unknown): string {
  if (value === null || value === undefined) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'string') {
    const written = JSON.stringify(value).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'");
    return `'${written}'`;
  }
  if (Array.isArray(value)) return `[${value.map(pythonText).join(', ')}]`;
  if (typeof value !== 'object') return String(value);
  return `{${Object.entries(value)
    .map(([key, each]) => `${pythonText(key)}: ${pythonText(each)}`)
    .join(', ')}}`;
}
