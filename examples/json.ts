/** Reads facts out of texts as JSON. The schema is enforced while the answer is made, so whatever the model says can be parsed. */
import { loadModel } from '../src/index.ts';

await using model = await loadModel('smollm2-135m');

const schema = {
  type: 'object',
  properties: {
    name: { type: 'string', pattern: '^[A-Z][a-z]{1,11}$' },
    age: { type: 'integer', minimum: 0, maximum: 120 },
    colour: { enum: ['red', 'green', 'blue'] },
  },
  required: ['name', 'age', 'colour'],
  additionalProperties: false,
};

async function read(text: string): Promise<{ name: string; age: number; colour: string }> {
  const question = `${text}\nWrite the name, the age and the favourite colour as JSON.`;
  const answer = await model.chat(question, { temperature: 0, constraint: { schema } });
  return JSON.parse(answer.text);
}

const texts = [
  'Anna is 31. She likes blue.',
  'Tom is 7 and wants everything in green.',
  'I am Maria, 64, and love red roses.',
];
for (const { name, age, colour } of await Promise.all(texts.map(read)))
  console.log(`${name} is ${age} years old and likes ${colour}`);
