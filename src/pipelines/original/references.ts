/** What the names of the original's documents stand for here. */
export class OriginalNames {
  readonly #paths = new Map<string, string>();

  /** The first meaning stays. */
  add(name: string, path: string): void {
    if (!this.#paths.has(name)) this.#paths.set(name, path);
  }

  get known(): string[] {
    return [...this.#paths.keys()];
  }

  /**
   * `text`, `inputs.text`, `$text`, `{{ text }}`, `step`, `steps.step.output`, and fields behind them. Undefined for a name
   * that nobody has.
   */
  path(reference: string): string | undefined {
    const [, inner] = /^\s*(?:\{\{\s*|\$\{|\$|\{)?\s*([\w.-]+)\s*\}{0,2}\s*$/.exec(reference) ?? [];
    const words = inner?.split('.') ?? [];
    if (words.length > 1 && ['inputs', 'input', 'steps', 'outputs'].includes(words[0]!)) words.shift();
    const [name, ...rest] = words;
    const path = this.#paths.get(name ?? '');
    if (path === undefined) return undefined;
    // The output of a step is all that it has.
    const fields = !path.startsWith('input.') && /^(?:output|result)s?$/.test(rest[0] ?? '') ? rest.slice(1) : rest;
    return [path, ...fields.map(each => each.replace(/\W/g, '_'))].join('.');
  }

  /** A template of the original's with the names that are used here. `{name}` is one only where there is such a name. */
  template(text: string, unknown: (name: string) => void): string {
    const marks = /\{\{\s*([\w.-]+)\s*\}\}|\$\{([\w.-]+)\}|\{([\w.-]+)\}|\{[%#]/g;
    return text.replace(marks, (mark, double?: string, dollar?: string, single?: string) => {
      const name = double ?? dollar ?? single;
      const path = name === undefined ? undefined : this.path(name);
      if (path !== undefined) return `{{ ${path} }}`;
      if (double !== undefined) unknown(double);
      return double === undefined ? mark.replace(/\{[%#]/, "{{ '$&' }}") : mark;
    });
  }
}
