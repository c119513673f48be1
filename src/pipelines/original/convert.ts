import { isMap, isScalar, isSeq, type Node, type YAMLMap } from 'yaml';
import { type Fields, placeOf, toJson } from '../document/fields.ts';
import { suggestion } from '../document/near.ts';
import { nodeOf } from './nodes.ts';
import { OriginalNames } from './references.ts';

/** Types as the original's documents name them. */
const types: Readonly<Record<string, string | undefined>> = {
  ...{ string: 'string', text: 'string', number: 'number', float: 'number', integer: 'integer', int: 'integer' },
  ...{
    boolean: 'boolean',
    bool: 'boolean',
    array: 'array',
    list: 'array',
    object: 'object',
    json: undefined,
    any: undefined,
  },
};

/** Whether a document is of the format that Realm's predecessor had: `id`, `inputs`, `steps`, `outputs`. */
export function isOriginal(fields: Fields): boolean {
  return !fields.has('pipeline') && fields.has('id') && fields.has('steps');
}

/** The same pipeline in the format of today. What is wrong is named at the document's own places. */
export function convert(fields: Fields): YAMLMap {
  fields.only(
    ['id', 'name', 'description', 'version', 'inputs', 'steps', 'outputs'],
    'a pipeline of the original format',
  );
  const at = fields.node;
  const names = new OriginalNames();
  const input = readInputs(fields, names);
  const steps = fields.list('steps').map(step => readStep(step, names));
  const made = {
    pipeline: fields.get('id'),
    description: fields.get('description') ?? fields.get('name'),
    input,
    steps: nodeOf(steps, at),
    output: readOutputs(fields, names, steps.at(-1)?.id),
  };
  return nodeOf(made, at) as YAMLMap;
}

function readInputs(fields: Fields, names: OriginalNames): unknown {
  const inputs = fields.fields('inputs');
  if (!inputs) return undefined;
  const required: string[] = [];
  const properties = inputs.keys.map(name => {
    names.add(name, `input.${name}`);
    const node = inputs.get(name);
    const said = isMap(node) ? inputs.fields(name)! : undefined;
    said?.only(['type', 'description', 'required', 'default'], 'an input');
    const type = String(said ? (said.json('type') ?? 'string') : toJson(node));
    if (!Object.hasOwn(types, type))
      inputs.wrong(placeOf(node), `there is no type '${type}'${suggestion(type, Object.keys(types))}`);
    const fallback = said?.json('default');
    if (said ? said.json('required') === true && fallback === undefined : true) required.push(name);
    return [name, { type: types[type], description: said?.json('description'), default: fallback ?? undefined }];
  });
  return nodeOf({ type: 'object', properties: Object.fromEntries(properties), required }, inputs.node);
}

interface ConvertedStep {
  readonly id: string;
  readonly [field: string]: unknown;
}

/** The step's own name and that of its output may be used from here on. */
function readStep(step: Fields, names: OriginalNames): ConvertedStep {
  step.only(['id', 'name', 'description', 'model', 'model_type', 'input', 'output'], 'a step of the original format');
  const given = step.text('id', { required: true })?.value ?? '';
  const id = given.replace(/\W/g, '_').replace(/^(?=\d)/, '_');
  const prompt = readPrompt(step, names);
  const output = step.get('output');
  names.add(given, id);
  if (isScalar(output)) names.add(String(output.value), id);
  const model = step.get('model') ?? step.get('model_type');
  if (!model) step.wrong(step.at('id'), "a step of the original format needs a 'model' or a 'model_type'");
  return {
    id: nodeOf(id, step.get('id') ?? step.node),
    model,
    prompt,
    ...(isMap(output) ? { output } : {}),
  } as unknown as ConvertedStep;
}

/** `input` of a step: a name, a template or a value. */
function readPrompt(step: Fields, names: OriginalNames): Node | undefined {
  const node = step.get('input');
  if (!node) {
    step.wrong(step.at('input'), "'input' is missing: a name, a 'template' or a 'value'");
    return undefined;
  }
  const unknown = (name: string, at = placeOf(node)) =>
    step.wrong(at, `there is no '${name}' here${suggestion(name, names.known)}`);
  if (!isMap(node)) {
    const name = String(toJson(node));
    const path = names.path(name);
    if (path === undefined) unknown(name);
    return nodeOf(path === undefined ? '' : `{{ ${path} }}`, node);
  }
  const input = step.fields('input')!;
  input.only(['template', 'value'], "'input'");
  const template = input.text('template');
  if (template) {
    const missing = (name: string) => unknown(name, template.at(template.value.indexOf(name)));
    return nodeOf(names.template(template.value, missing), input.get('template')!);
  }
  const value = input.json('value');
  const text = typeof value === 'string' ? value : JSON.stringify(value ?? '');
  return nodeOf(text.replace(/\{[{%#]/g, "{{ '$&' }}"), node);
}

/** A name, a list of names, or a mapping to names; absent: the last step's output. */
function readOutputs(fields: Fields, names: OriginalNames, last: unknown): unknown {
  const node = fields.get('outputs');
  if (!node) return isScalar(last) ? nodeOf(last.value, last) : undefined;
  const path = (each: Node | null): Node => {
    const name = String(
      isMap(each)
        ? toJson((each.get('ref', true) ?? each.get('from', true) ?? each.get('value', true)) as Node)
        : toJson(each ?? undefined),
    );
    const found = names.path(name);
    if (found === undefined)
      fields.wrong(placeOf(each ?? node), `there is no '${name}' here${suggestion(name, names.known)}`);
    return nodeOf(found ?? 'input', each ?? node);
  };
  if (isSeq(node)) {
    const each = (node.items as Node[]).map(item => [String(toJson(item)).replace(/^.*\./, ''), path(item)]);
    return nodeOf(Object.fromEntries(each), node);
  }
  if (!isMap(node)) return path(node);
  const each = node.items.map(({ key, value }) => [String(toJson(key as Node)), path(value as Node | null)]);
  return nodeOf(Object.fromEntries(each), node);
}
