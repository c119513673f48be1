import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RealmError } from '../errors.ts';
import type { Metadata } from '../gguf/types.ts';
import { builtinTemplates } from './builtin-templates.ts';
import { type ChatTemplateOptions, chatTemplate } from './chat-template.ts';
import { createTokenizer } from './create.ts';
import { templateLimits } from './jinja/limits.ts';
import { byteLevelMetadata } from './testing/vocabularies.ts';
import type { ChatMessage } from './types.ts';

const noon = Date.UTC(2024, 6, 4, 12);
const chat: ChatMessage[] = [
  { role: 'system', content: 'Be brief.' },
  { role: 'user', content: 'Hi' },
  { role: 'assistant', content: 'Hello' },
  { role: 'user', content: 'Bye' },
];

function make(metadata: Metadata, options?: ChatTemplateOptions) {
  return chatTemplate(metadata, createTokenizer(metadata), options);
}

function render(source: string, messages: ChatMessage[] = chat, clock?: () => number): string {
  return make(byteLevelMetadata(), { source, now: () => noon, ...(clock && { clock }) }).render(messages);
}

function refusal(source: string, messages?: ChatMessage[], clock?: () => number): RealmError {
  try {
    render(source, messages, clock);
  } catch (error) {
    assert.ok(error instanceof RealmError, String(error));
    return error;
  }
  throw new assert.AssertionError({ message: `no refusal of ${source}` });
}

test('gives templates what they expect', () => {
  assert.equal(
    render('{{ bos_token }}{{ eos_token }}{{ add_generation_prompt }}{{ tools is none }}'),
    '<s></s>TrueTrue',
  );
  assert.equal(render("{{ strftime_now('%d %b %Y, %A %H:%M %q') }}"), '04 Jul 2024, Thursday 12:00 %q');
  assert.equal(render('{% for i in range(1, 8, 3) %}{{ i }} {% endfor %}{{ range(3) | length }}'), '1 4 7 3');
  assert.equal(render('{% for m in messages %}{{ m.role[0] }}{% endfor %}'), 'suau');
  const tools = make(byteLevelMetadata(), { source: '{{ tools[0].name }} {{ add_generation_prompt }}' });
  assert.equal(tools.render(chat, { tools: [{ name: 'f' }], addGenerationPrompt: false }), 'f False');
});

test('keeps the messages as they are', () => {
  const messages = [{ role: 'user', content: '{{ 1 + 1 }}<s>' }];
  assert.equal(render('{{ messages[0].content }}', messages), '{{ 1 + 1 }}<s>');
  assert.deepEqual(messages, [{ role: 'user', content: '{{ 1 + 1 }}<s>' }]);
});

test('formats, loops over nothing, and sorts by number', () => {
  assert.equal(render("{{ '<{}|{}>'.format('a', 2) }}"), '<a|2>');
  assert.equal(
    render('{% for t in tools %}x{% else %}none{% endfor %}{% for t in nothing if t %}x{% endfor %}'),
    'none',
  );
  const gears =
    '{% set gears = {512: 1, 64: 2} %}{% for k, v in gears | dictsort %}{{ k + v }} {% endfor %}{{ gears[512] }}';
  assert.equal(render(gears), '66 513 1');
});

test('a template that refuses the messages says why', () => {
  const error = refusal("{{ raise_exception('roles must alternate') }}");
  assert.equal(error.code, 'template_invalid');
  assert.match(error.message, /roles must alternate/);
});

test('a broken template is refused', () => {
  for (const source of [
    '{% for %}',
    '{{ 1 +',
    '{{ nothing.at.all.calls() }}',
    '{% endif %}',
    '{{ "a" | no_such_filter }}',
  ]) {
    assert.equal(refusal(source).code, 'template_invalid', source);
  }
});

const hostile: Record<string, string> = {
  'a huge range': '{% for i in range(1000000000) %}{% endfor %}',
  'an endless range': '{% for i in range(0, 10, 0) %}{% endfor %}',
  'a backward range': '{% for i in range(0, -1000000000, -1) %}{% endfor %}',
  'nested loops': `${'{% for i in range(1000) %}'.repeat(5)}x${'{% endfor %}'.repeat(5)}`,
  'nested empty loops': `${'{% for i in range(99999) %}'.repeat(2)}${'{% endfor %}'.repeat(2)}`,
  'a macro that calls itself': '{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}',
  'a macro that calls itself twice':
    '{% macro f(n) %}{% if n < 60 %}{{ f(n+1) }}{{ f(n+1) }}{% endif %}{% endmacro %}{{ f(0) }}',
  'doubled text': `{% set s = 'xxxxxxxx' %}${'{% set s = s ~ s %}'.repeat(40)}{{ s | length }}`,
  'doubled text by +': `{% set s = 'xxxxxxxx' %}${'{% set s = s + s %}'.repeat(40)}`,
  'a doubled list': `{% set s = [1] %}${'{% set s = s + s %}'.repeat(40)}`,
  'a list in itself, printed': `{% set s = [1] %}${'{% set s = [s, s] %}'.repeat(40)}{{ s }}`,
  'a list in itself, as JSON': `{% set s = [1] %}${'{% set s = [s, s] %}'.repeat(40)}{{ s | tojson | length }}`,
  'a list in itself, joined to text': `{% set s = [1] %}${'{% set s = [s, s] %}'.repeat(40)}{{ (s ~ '') | length }}`,
  'a list in itself, as an argument': `{% set s = [1] %}${'{% set s = [s, s] %}'.repeat(40)}{{ raise_exception(s) }}`,
  'a namespace in itself': '{% set n = namespace() %}{% set n.n = n %}{{ n }}',
  'replaced letters': big("{{ s.replace('x', s) | length }}"),
  'replaced nothing': big("{{ s | replace('', s) | length }}"),
  'a replacing filter block': big("{% filter replace('x', s) %}{{ s }}{% endfilter %}"),
  'a replacing call of a name': big(
    "{% set replace = s.replace %}{{ replace('x', '0123456789012345678901234567890123456789') }}",
  ),
  'a long separator': big('{{ s | join(s) | length }}'),
  'a wide indent': big("{{ 'a\\nb\\nc' | indent(100000000, blank=true) | length }}"),
  'a wide JSON indent': '{{ [1, [2, [3]]] | tojson(indent=1000000000) | length }}',
  'texts compared again and again': big(
    `{% set l = [s ~ 'a'] %}${'{% set l = l + l %}'.repeat(17)}{{ (s ~ 'b') in l }}`,
  ),
  'texts sorted again and again': big(`{% set l = [s] %}${'{% set l = l + l %}'.repeat(17)}{{ l | sort | length }}`),
  'much upper case': big('{% for i in range(99999) %}{% set t = s | upper %}{% endfor %}'),
  'a wide field': "{{ '%999999999d' % 1 }}",
  'a wide field in braces': "{{ '{:>999999999}'.format('a') }}",
  'many decimals': "{{ '%.999999999f' % 1.5 }}",
  'a wide line': "{{ 'a'.ljust(999999999) }}",
  'many zeros': "{{ 'a'.zfill(999999999) }}",
  'wide tabs': big("{{ s.replace('x', '\\t').expandtabs(1000000) }}"),
  'a text many times': "{{ 'abc' * 999999999 }}",
  'a list many times': '{{ [1, 2] * 999999999 }}',
  'a large number': '{{ 9 ** (9 ** 9) }}',
  'a number multiplied': `{% set n = 9 ** 999 %}${'{% set n = n * n %}'.repeat(40)}`,
  'many words': big("{{ s.replace('x', 'x ').split() | length }}"),
  'many lines': big("{{ s.replace('x', '\\n').splitlines() | length }}"),
  'many slices': '{{ [1] | slice(999999999) | list }}',
  'a wide batch': "{{ [1] | batch(999999999, 'x') | list }}",
  'a list as a key, again and again': `{% set t = (1, 2) %}${'{% set t = (t, t) %}'.repeat(40)}{{ {t: 1} }}`,
  'a long date': big("{{ strftime_now(s.replace('x', '%A')) }}"),
  'many texts kept': big(
    '{% set n = namespace(l=[]) %}{% for i in range(99999) %}{% set n.l = n.l + [s | upper] %}{% endfor %}',
  ),
  'a list in itself, equal to another': `{% set s = [1] %}{% set t = [1] %}${'{% set s = [s, s] %}{% set t = [t, t] %}'.repeat(40)}{{ s == t }}`,
  'deep brackets': `{{ ${'('.repeat(99999)}1${')'.repeat(99999)} }}`,
  'a deep list': `{{ ${'['.repeat(9999)}1${']'.repeat(9999)} }}`,
  'a long chain': `{{ 1${' + 1'.repeat(60000)} }}`,
  'a long source': 'x'.repeat(templateLimits.source + 1),
};

/** A million letters in `s`, then `rest`. */
function big(rest: string): string {
  return `{% set s = 'xxxx' %}${'{% set s = s ~ s %}'.repeat(18)}${rest}`;
}

for (const [name, source] of Object.entries(hostile)) {
  test(`a hostile template ends: ${name}`, () => {
    const { code, message } = refusal(source);
    assert.equal(code, 'template_limit', message);
  });
}

test('a list that holds itself many times is no text, number or name', () => {
  const nested = `{% set s = [1] %}${'{% set s = [s, s] %}'.repeat(40)}`;
  for (const use of [
    'strftime_now(s)',
    "'%*d' % (s, 1)",

    '[1] | round(s)',
  ]) {
    assert.equal(refusal(`${nested}{{ ${use} }}`).code, 'template_invalid', use);
  }
});

test('what is only long ends soon', () => {
  const spaces = ' '.repeat(80_000);
  assert.equal(render(`${spaces}x${spaces}{{- 'y' -}}${spaces}z`), `${spaces}xyz`);
  const again = `{% for i in range(9999) %}{% macro f() %}${'{{ 1 }}'.repeat(9999)}{% endmacro %}{% endfor %}`;
  assert.equal(render(again), '');
});

test('time is limited whatever the steps cost', () => {
  let now = noon;
  const slow = () => {
    now += 500;
    return now;
  };
  const { code, message } = refusal('{% for i in range(90000) %}{{ i }}{% endfor %}', chat, slow);
  assert.equal(code, 'template_limit');
  assert.match(message, /ms/);
});

test('an honest long chat stays far below the limits', () => {
  const messages = Array.from({ length: 1000 }, (_, i) => ({
    role: i % 2 ? 'assistant' : 'user',
    content: 'word '.repeat(200),
  }));
  const source = `{% set ns = namespace(text='') %}{% for m in messages %}{% if m.role == 'user' and loop.index0 < (messages | length) %}{% set ns.text = ns.text ~ '<u>' ~ m.content | trim | replace('word', 'Word') %}{% else %}{% set ns.text = ns.text ~ m.content.split(' ')[-1] ~ (m | tojson) %}{% endif %}{% endfor %}{{ ns.text }}`;
  assert.ok(render(source, messages).length > 1_000_000);
});

test('the template of the file is used, a blank one is not', () => {
  const own = make(byteLevelMetadata({ 'tokenizer.chat_template': 'A{{ messages[0].content }}' }));
  assert.equal(own.name, 'file');
  assert.equal(own.source, 'A{{ messages[0].content }}');
  assert.equal(own.render(chat), 'ABe brief.');
  assert.equal(make(byteLevelMetadata({ 'tokenizer.chat_template': '  ' })).name, 'chatml');
});

for (const [name, { tokens }] of Object.entries(builtinTemplates)) {
  test(`built-in template ${name}: chosen by its tokens, renders the conversation`, () => {
    const metadata = byteLevelMetadata({ 'general.architecture': 'llama' }, [...tokens]);
    if (tokens.length > 0) assert.equal(make(metadata).name, name);
    const template = make(metadata, { name: name as keyof typeof builtinTemplates });
    const prompt = template.render(chat);
    const places = chat.map(message => prompt.indexOf(message.content));
    assert.deepEqual(
      places,
      places.toSorted((a, b) => a - b),
      prompt,
    );
    assert.ok(Math.min(...places) >= 0, prompt);
    const open = template.render(chat, { addGenerationPrompt: false });
    assert.ok(prompt.startsWith(open), 'the generation prompt comes last');
  });
}

test('the built-in templates write what the models were trained on', () => {
  const metadata = byteLevelMetadata();
  const two: ChatMessage[] = chat.slice(0, 2);
  const written = (name: keyof typeof builtinTemplates) => make(metadata, { name }).render(two);
  assert.equal(
    written('chatml'),
    '<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n',
  );
  assert.equal(
    written('llama3'),
    '<s><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n',
  );
  assert.equal(written('gemma'), '<s><start_of_turn>user\nBe brief.\n\nHi<end_of_turn>\n<start_of_turn>model\n');
  assert.equal(written('llama2'), '<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nHi [/INST]');
  assert.equal(written('mistral'), '<s>[INST] Be brief.\n\nHi [/INST]');
  assert.equal(written('phi3'), '<|system|>\nBe brief.<|end|>\n<|user|>\nHi<|end|>\n<|assistant|>\n');
  assert.equal(written('zephyr'), '<|system|>\nBe brief.</s>\n<|user|>\nHi</s>\n<|assistant|>\n');
});

test('a llama with a SentencePiece vocabulary gets llama2, an unknown name is refused', () => {
  const metadata = byteLevelMetadata({ 'general.architecture': 'llama', 'tokenizer.ggml.model': 'llama' });
  assert.equal(make(metadata).name, 'llama2');
  assert.throws(() => make(metadata, { name: 'toString' as 'chatml' }), { code: 'template_invalid' });
});

const say = (role: string, content: string): ChatMessage => ({ role, content });
const written = (source: string, messages: ChatMessage[]) => render(source, messages);
const turns = '{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}';
const firstOnly = `{% for m in messages %}{% if m.role == 'system' and not loop.first %}{{ raise_exception('first!') }}{% endif %}{% endfor %}${turns}`;
const never = `{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('never!') }}{% endif %}{% endfor %}${turns}`;

test('what the system says in the middle is a turn of its own, or where that is refused a part of the user’s', () => {
  const talk = [say('system', 'S'), say('user', '1'), say('system', 'N'), say('assistant', '2'), say('user', '3')];
  assert.equal(written(turns, talk), '[system]S[user]1[system]N[assistant]2[user]3');
  assert.equal(written(firstOnly, talk), '[system]S[user]1\n\nN[assistant]2[user]3');
  assert.equal(written(never, talk), '[user]S\n\n1\n\nN[assistant]2[user]3');
  // A prompt begins as the one before it did.
  assert.ok(written(firstOnly, talk).startsWith(written(firstOnly, talk.slice(0, 3))));
  const late = [say('user', '1'), say('assistant', '2'), say('system', 'N'), say('user', '3')];
  assert.equal(written(firstOnly, late), '[user]1[assistant]2[user]N\n\n3');
  assert.equal(written(firstOnly, late.slice(0, 3)), '[user]1[assistant]2[user]N');
});

test('puts results of calls into the turn that called, where a template knows no other place for them', () => {
  const calls = '{% for c in m.tool_calls or [] %}<call:{{ c.function.name }}>{% endfor %}';
  const results = '{% for r in m.tool_responses or [] %}<{{ r.name }}={{ r.response }}>{% endfor %}';
  const written = (results: string) =>
    `{% for m in messages %}[{{ m.role }}]${calls}${results}{{ m.content }}{% endfor %}`;
  const call = (id: string, name: string) => ({ type: 'function', id, function: { name, arguments: {} } });
  const messages = [
    { role: 'user', content: 'Hi' },
    { role: 'assistant', content: '', tool_calls: [call('a', 'look'), call('b', 'ask')] },
    { role: 'tool', tool_call_id: 'b', content: 'none' },
    { role: 'tool', content: 'rain' },
    { role: 'assistant', content: 'It rains.' },
    { role: 'user', content: 'Bye' },
  ];
  assert.equal(
    render(written(results), messages),
    '[user]Hi[assistant]<call:look><call:ask><ask=none><ask=rain>It rains.[user]Bye',
  );
  const said = messages.map(message => (message.tool_calls ? { ...message, content: 'Well.' } : message));
  assert.equal(
    render(written(results), said.slice(0, 3)),
    '[user]Hi[assistant]Well.[assistant]<call:look><call:ask><ask=none>',
  );
  assert.equal(
    render(written(''), messages),
    '[user]Hi[assistant]<call:look><call:ask>[tool]none[tool]rain[assistant]It rains.[user]Bye',
  );
  const knows = written(results).replace('[{{ m.role }}]', '[{{ "result" if m.role == "tool" else m.role }}]');
  assert.equal(
    render(knows, messages),
    '[user]Hi[assistant]<call:look><call:ask>[result]none[result]rain[assistant]It rains.[user]Bye',
  );
});

test('begins an answer where a template has ended the turn that called', () => {
  const source =
    '{% for m in messages %}{% if m.role != "tool" %}<{{ m.role }}>{% endif %}{{ m.content }}' +
    '{% if m.role == "assistant" or m.role == "user" %}{% if m.content %}</>{% endif %}{% endif %}{% endfor %}' +
    '{% if add_generation_prompt and messages[-1].role != "tool" %}<assistant>{{ mood }}{% endif %}';
  const template = make(byteLevelMetadata(), { source });
  const turns = (said: string, result = ''): ChatMessage[] => [
    { role: 'user', content: 'Hi' },
    { role: 'assistant', content: said, tool_calls: [] },
    { role: 'tool', content: result },
  ];
  const variables = { mood: 'gladly' };
  assert.equal(template.render(turns('', 'rain'), { variables }), '<user>Hi</><assistant>rain');
  assert.equal(template.render(turns('Well.'), { variables }), '<user>Hi</><assistant>Well.</><assistant>gladly');
  const closed = template.render(turns('Well.'), { variables, addGenerationPrompt: false });
  assert.equal(closed, '<user>Hi</><assistant>Well.</>');
});
