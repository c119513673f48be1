import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LineCounter } from 'yaml';
import { fromJson } from '../../tokenizer/jinja/data.ts';
import { Mistakes } from '../document/mistakes.ts';
import { Template } from './template.ts';

const make = (source: string) => {
  const mistakes = new Mistakes('p.yaml', new LineCounter());
  return { template: new Template({ value: source, at: index => index }, mistakes), mistakes };
};
const render = (source: string, values: Record<string, unknown> = {}) =>
  make(source).template.render(name => fromJson(values[name]));

describe('templates', () => {
  it('know which names they take from outside', () => {
    const source = `{% macro m(x, y=d) %}{{ x }}{{ y }}{{ e }}{% endmacro %}{% set s = a.b %}{% for i, j in l.items() if i in k %}
      {{ loop.index }}{{ i }}{{ j | default(f) }}{{ s }}{% endfor %}{{ range(n) }}{{ g["h"] }}{{ o is sameas(p) }}
      {% with w = q %}{{ w }}{% endwith %}{{ m(1) }}{{ "lit" ~ r }}{{ t[1:u] }}`;
    assert.deepEqual([...make(source).template.references.keys()].sort().join(''), 'adefgklnopqrtu');
  });

  it('put values in as they are', () => {
    assert.equal(
      render('{{ a }}|{{ b | tojson }}', { a: '{{ 1 }}{% x %}', b: [1, { c: null }] }),
      '{{ 1 }}{% x %}|[1, {"c": null}]',
    );
  });

  it('are ended when they take too long, in a tenth of the time of a chat template', () => {
    const before = performance.now();
    assert.throws(() => render('{% for i in range(99999) %}{% for j in range(999) %}{{ i }}{% endfor %}{% endfor %}'), {
      code: 'template_limit',
      message: 'the template takes more than 200000 steps',
    });
    assert.ok(performance.now() - before < 2000);
    assert.throws(() => render('{{ a.b.c }}', { a: {} }), {
      code: 'template_invalid',
      message: /^the template fails: /,
    });
    assert.throws(() => render("{{ raise_exception('no') }}"), { code: 'template_invalid', message: /no/ });
  });
});
