/** Tools whose schemas differ in what they ask for. */

export interface ToolCase {
  readonly name: string;
  readonly asked: string;
  readonly parameters: Record<string, unknown>;
}

type Properties = Record<string, unknown>;

/** Strings and lists that have no bound may be as long as a small model likes: these have. */
const text = { type: 'string', maxLength: 24 };
const object = (properties: Properties, required = Object.keys(properties)) => ({
  ...{ type: 'object', properties, required, additionalProperties: false },
});
const tool = (name: string, asked: string, properties: Properties, required?: string[]): ToolCase => ({
  ...{ name, asked, parameters: object(properties, required) },
});

export const toolCases: readonly ToolCase[] = [
  tool('no_arguments', 'What time is it?', {}),
  tool('text', 'Search for cats.', { query: text }),
  tool('optional', 'Search for cats.', { query: text, language: text, page: { type: 'integer', maximum: 9 } }, [
    'query',
  ]),
  tool('all_optional', 'List the files.', { folder: text, hidden: { type: 'boolean' } }, []),
  tool('enumeration', 'Paint it red.', { colour: { enum: ['red', 'green', 'blue'] } }),
  tool('mixed_enumeration', 'Set the level to 2.', { level: { enum: [1, 2, 'max', null, true] } }),
  tool('constant', 'Send it.', { version: { const: 'v1.2' }, body: text }),
  tool('integer_bounds', 'Set the volume to 7.', { volume: { type: 'integer', minimum: -3, maximum: 11 } }),
  tool('number_bounds', 'Set the gain to 0.5.', { gain: { type: 'number', minimum: 0, exclusiveMaximum: 1 } }),
  tool('multiple', 'Wait for 15 minutes.', { minutes: { type: 'integer', multipleOf: 5, minimum: 5, maximum: 60 } }),
  tool('booleans', 'Turn on the light, not the fan.', { light: { type: 'boolean' }, fan: { type: 'boolean' } }),
  tool('nullable', 'Call nobody.', { who: { type: ['string', 'null'], maxLength: 12 } }),
  tool('pattern', 'Book flight LH123.', { flight: { type: 'string', pattern: '^[A-Z]{2}[0-9]{3,4}$' } }),
  tool('format', 'Meet on 24 December 2026.', { day: { type: 'string', format: 'date' } }),
  tool('list', 'Add 1, 2 and 3.', { numbers: { type: 'array', items: { type: 'integer' }, minItems: 2, maxItems: 4 } }),
  tool('pair', 'Go to 3, north.', {
    to: {
      type: 'array',
      prefixItems: [{ type: 'integer', maximum: 99 }, { enum: ['north', 'south'] }],
      items: false,
      minItems: 2,
    },
  }),
  tool('nested', 'Ship a book to Anna in Rome.', {
    item: text,
    to: object({ name: text, place: object({ city: text }) }),
  }),
  tool('list_of_objects', 'Buy two apples and a pear.', {
    items: {
      type: 'array',
      minItems: 1,
      maxItems: 2,
      items: object({ fruit: text, count: { type: 'integer', maximum: 9 } }),
    },
  }),
  tool('alternatives', 'Pay 5 by card.', {
    by: { anyOf: [object({ card: { type: 'string', pattern: '^[0-9]{4}$' } }), object({ cash: { type: 'boolean' } })] },
  }),
  {
    ...{ name: 'references', asked: 'Move from A to B.' },
    parameters: {
      ...object({ from: { $ref: '#/$defs/place' }, to: { $ref: '#/$defs/place' } }),
      $defs: { place: object({ label: { type: 'string', minLength: 1, maxLength: 3 } }) },
    },
  },
  {
    ...{ name: 'map', asked: 'Set a to 1.' },
    parameters: {
      type: 'object',
      additionalProperties: { type: 'integer', maximum: 99 },
      maxProperties: 2,
      minProperties: 1,
    },
  },
];
