import { RealmError } from '../../errors.ts';
import { render } from '../../tokenizer/jinja/interpreter.ts';
import { parse } from '../../tokenizer/jinja/parser.ts';
import type { Statement } from '../../tokenizer/jinja/syntax.ts';
import type { Value } from '../../tokenizer/jinja/values.ts';
import type { Names } from '../cel/expression.ts';
import type { Mistakes } from '../document/mistakes.ts';
import { suggestion } from '../document/near.ts';
import type { Text } from '../document/text.ts';
import { pipelineLimits } from '../limits.ts';
import { propertiesOf, propertyOf } from '../schema/parts.ts';
import { pathsOf, type TemplatePath } from './references.ts';

/** A template of Jinja that stands in a document. Values are put in as they are: nothing in them is read as a template. */
export class Template {
  readonly text: Text;
  /** The names of values that it uses, with where they first stand. */
  readonly references = new Map<string, number>();
  readonly #mistakes: Mistakes;
  readonly #paths: readonly TemplatePath[];
  readonly #statements: readonly Statement[];

  constructor(text: Text, mistakes: Mistakes) {
    this.text = text;
    this.#mistakes = mistakes;
    this.#statements = this.#parse();
    this.#paths = pathsOf(this.#statements);
    for (const { name } of this.#paths) {
      if (!this.references.has(name)) this.references.set(name, this.text.at(this.#find([name])));
    }
  }

  check(names: Names): void {
    for (const { name, fields } of this.#paths) {
      let schema = names.get(name) ?? true;
      for (const [i, field] of fields.entries()) {
        const properties = propertiesOf(schema);
        if (properties && !Object.hasOwn(properties, field)) {
          const place = this.#find([name, ...fields.slice(0, i + 1)]);
          const known = suggestion(field, Object.keys(properties));
          this.#mistakes.add(this.text.at(place), `there is no '${field}' here${known}`);
          break;
        }
        schema = propertyOf(schema, field);
      }
    }
  }

  /** The text that it makes. Throws `template_limit` and `template_invalid`. */
  render(value: (name: string) => Value): string {
    const variables = [...this.references.keys()].map(name => [name, value(name)] as const);
    try {
      return render(this.#statements, variables, () => performance.now(), pipelineLimits.templateSteps);
    } catch (error) {
      if (error instanceof RealmError) {
        const words = error.message
          .replace('the chat template', 'the template')
          .replace(': use another template or a shorter chat', '');
        throw new RealmError(error.code, words, { cause: error });
      }
      if (error instanceof RangeError) throw new RealmError('template_limit', 'the template nests too deep');
      throw new RealmError('template_invalid', `the template fails: ${(error as Error).message}`, { cause: error });
    }
  }

  #parse(): readonly Statement[] {
    try {
      return parse(this.text.value);
    } catch (error) {
      const { message } = error as Error;
      const line = Number(/^line (\d+)/.exec(message)?.[1] ?? 1);
      const lines = this.text.value.split('\n').slice(0, line - 1);
      const start = lines.reduce((sum, each) => sum + each.length + 1, 0);
      const indent = /^\s*/.exec(this.text.value.slice(start))?.[0].length ?? 0;
      const what = error instanceof RangeError ? 'it nests too deep' : message.replace(/^line \d+: /, '');
      this.#mistakes.add(this.text.at(start + indent), `the template cannot be read: ${what}`);
      return [];
    }
  }

  /** Where a path first stands: the tree has no places. The last name of it. */
  #find(path: readonly string[]): number {
    const pattern = new RegExp(
      `(?<![\\w.])${path.map(each => each.replace(/\W/g, '\\$&')).join('\\s*\\.\\s*')}(?!\\w)`,
    );
    const found = pattern.exec(this.text.value);
    return found ? found.index + found[0].length - (path.at(-1)?.length ?? 0) : 0;
  }
}
