import { ExpressionParser } from './expression-parser.ts';
import { tokenize } from './lexer.ts';
import type { Expression, Signature, Statement, Target } from './syntax.ts';

/** Jinja2's tags that chat templates have no use for: there are no other files, and values are not HTML. */
const FOREIGN = ['block', 'extends', 'include', 'import', 'from', 'autoescape', 'do', 'trans', 'debug'];

/** The statements of a template. Throws SyntaxError with a line for what Jinja2 would refuse too. */
export function parse(source: string): Statement[] {
  return new Parser(tokenize(source)).template();
}

type Tag = (parser: Parser) => Statement[];

class Parser extends ExpressionParser {
  template(): Statement[] {
    const body = this.#statements();
    if (this.now.type !== 'eof') throw this.unexpected();
    return body;
  }

  /** Statements up to one of the tags `ends`, which is the current name afterwards. */
  #statements(...ends: string[]): Statement[] {
    const body: Statement[] = [];
    for (;;) {
      if (this.is('eof')) {
        if (ends.length > 0) throw this.unexpected(ends.join(' or '));
        return body;
      }
      if (this.is('text')) {
        body.push({ kind: 'text', text: this.expect('text') });
      } else if (this.expect('begin') === '{{') {
        body.push({ kind: 'print', value: this.tuple() });
        this.expect('end');
      } else {
        if (this.is('name', ...(ends.length > 0 ? ends : ['\0']))) return body;
        body.push(...this.nested(() => this.#tag()));
      }
    }
  }

  /** The body of a tag, from the end of its head to one of `ends`. */
  #body(...ends: string[]): Statement[] {
    this.skip('operator', ':');
    this.expect('end', '%}');
    return this.#statements(...ends);
  }

  /** A body that ends with the tag `end` only. */
  #whole(end: string): Statement[] {
    const body = this.#body(end);
    this.at++;
    this.expect('end', '%}');
    return body;
  }

  #tag(): Statement[] {
    const name = this.expect('name');
    const tag = Object.hasOwn(Parser.#tags, name) ? Parser.#tags[name] : undefined;
    if (tag) return tag(this);
    throw this.error(
      `the tag '${name}' ${FOREIGN.includes(name) ? 'cannot be used in a chat template' : 'is unknown'}`,
    );
  }

  static readonly #tags: Record<string, Tag> = {
    if: parser => parser.#if(),
    for: parser => parser.#for(),
    set: parser => parser.#set(),
    with: parser => parser.#with(),
    macro: parser => parser.#macro(),
    call: parser => parser.#callBlock(),
    filter: parser => [{ kind: 'filtered', filters: parser.filters(true), body: parser.#whole('endfilter') }],
    break: parser => parser.#jump('break'),
    continue: parser => parser.#jump('continue'),
    print: parser => parser.#print(),
    // Transformers marks with it what the assistant says; the text is the same without.
    generation: parser => parser.#whole('endgeneration'),
  };

  #jump(kind: 'break' | 'continue'): Statement[] {
    this.expect('end', '%}');
    return [{ kind }];
  }

  #print(): Statement[] {
    const found: Statement[] = [];
    while (!this.is('end')) {
      if (found.length > 0) this.expect('operator', ',');
      found.push({ kind: 'print', value: this.expression() });
    }
    this.expect('end', '%}');
    return found;
  }

  #if(): Statement[] {
    const branches = [];
    for (;;) {
      const test = this.tuple({ conditions: false });
      branches.push({ test, body: this.#body('elif', 'else', 'endif') });
      const end = this.expect('name');
      if (end === 'elif') continue;
      const otherwise = end === 'else' ? this.#whole('endif') : [];
      if (end === 'endif') this.expect('end', '%}');
      return [{ kind: 'if', branches, otherwise }];
    }
  }

  #for(): Statement[] {
    const target = this.#target('in');
    this.expect('name', 'in');
    const iterable = this.tuple({ conditions: false, ends: ['recursive'] });
    const test = this.skip('name', 'if') ? this.expression() : undefined;
    const recursive = this.skip('name', 'recursive');
    const body = this.#body('endfor', 'else');
    const otherwise = this.expect('name') === 'else' ? this.#whole('endfor') : [];
    if (this.tokens[this.at - 1]?.value === 'endfor') this.expect('end', '%}');
    return [{ kind: 'for', target, iterable, test, recursive, body, otherwise }];
  }

  #set(): Statement[] {
    const target = this.#target();
    if (this.skip('operator', '=')) {
      const value = this.tuple();
      this.expect('end', '%}');
      return [{ kind: 'set', target, value }];
    }
    return [{ kind: 'capture', target, filters: this.filters(false), body: this.#whole('endset') }];
  }

  #with(): Statement[] {
    const sets: [Target, Expression][] = [];
    while (!this.is('end') && !this.operator(':')) {
      if (sets.length > 0) this.expect('operator', ',');
      const target = this.#target();
      this.expect('operator', '=');
      sets.push([target, this.expression()]);
    }
    return [{ kind: 'with', sets, body: this.#whole('endwith') }];
  }

  #macro(): Statement[] {
    const name = this.expect('name');
    return [{ kind: 'macro', signature: this.#signature(name, this.#parameters(), 'endmacro') }];
  }

  #callBlock(): Statement[] {
    const parameters = this.operator('(') ? this.#parameters() : [];
    const call = this.expression();
    if (call.kind !== 'call') throw this.error('expected a call');
    return [{ kind: 'callBlock', call, caller: this.#signature('caller', parameters, 'endcall') }];
  }

  #signature(name: string, parameters: Signature['parameters'], end: string): Signature {
    const from = this.at;
    const body = this.#whole(end);
    const takes = new Set(['varargs', 'kwargs', 'caller'].filter(special => this.#mentions(special, from)));
    for (const parameter of parameters) takes.delete(parameter.name);
    return { name, parameters, body, takes };
  }

  #mentions(name: string, from: number): boolean {
    return this.tokens.some(
      ({ type, value }, at) =>
        at >= from && at < this.at && type === 'name' && value === name && this.tokens[at - 1]?.value !== '.',
    );
  }

  #parameters(): Signature['parameters'] {
    const found: { name: string; fallback?: Expression | undefined }[] = [];
    this.expect('operator', '(');
    while (!this.operator(')')) {
      if (found.length > 0) this.expect('operator', ',');
      const name = this.expect('name');
      const fallback = this.skip('operator', '=') ? this.expression() : undefined;
      if (!fallback && found.at(-1)?.fallback) throw this.error('a parameter without default follows one with');
      found.push({ name, fallback });
    }
    this.at++;
    return found;
  }

  /** What is assigned to: names, tuples of them, or an attribute of a namespace. */
  #target(end?: string): Target {
    const found = this.tuple({ primary: true, ends: end ? [end] : [] });
    if (found.kind === 'name' && this.skip('operator', '.')) {
      return { kind: 'attribute', object: found, name: this.expect('name') };
    }
    return this.#assignable(found);
  }

  #assignable(found: Expression): Target {
    if (found.kind === 'name') return found;
    if (found.kind !== 'tuple') throw this.error('only names can be assigned to');
    return { kind: 'tuple', items: found.items.map(item => this.#assignable(item)) };
  }
}
