/** What a user does in the chat. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Page } from 'playwright-core';
import type { Setup } from './page.test.ts';

export function chatTests(setup: () => Setup): void {
  const inPage = (test: (page: Page) => Promise<void>) => setup().visit('#/chat', test);
  const asked = () => setup().site.chat.asked.at(-1);

  describe('the chat', () => {
    it('answers, says how fast, and goes on with what was said', () =>
      inPage(async page => {
        await page.getByLabel('System prompt').fill('Be brief.');
        await ask(page, 'Where is the Louvre?');
        await page.getByText('It is Paris.').waitFor();
        await page.getByText(/4 tokens · [\d.]+\/s · first after \d+ ms · prompt 9, 4 cached/).waitFor();
        await ask(page, 'And the Tate?');
        await page.getByText('And the Tate?').waitFor();
        await page.getByRole('button', { name: 'Again' }).waitFor();
        assert.deepEqual(
          asked().messages.map(({ role }: { role: string }) => role),
          ['system', 'user', 'assistant', 'user'],
        );
        assert.equal(asked().model, 'small');
        assert.equal(asked().stream, true);
      }));

    it('sends the sampling that was chosen, and nothing that was not', () =>
      inPage(async page => {
        await page.getByLabel('Model').selectOption('large');
        await page.getByText('Sampling').click();
        await page.getByLabel('Temperature').fill('0');
        await page.getByLabel('Most tokens').fill('7');
        await page.getByLabel('Stop strings').fill('###\nEnd');
        await ask(page, 'Hi');
        await page.getByText('It is Paris.').waitFor();
        const { messages, stream, stream_options, ...rest } = asked();
        assert.deepEqual(rest, { model: 'large', temperature: 0, max_tokens: 7, stop: ['###', 'End'] });
      }));

    it('stops when it is told to, by button and by key, and asks again', () =>
      inPage(async page => {
        const { left } = setup().site.chat;
        await ask(page, 'endless');
        await page.getByText(/again again/).waitFor();
        await page.getByRole('button', { name: 'Stop' }).click();
        await page.getByText(/· stopped/).waitFor();
        await page.getByRole('button', { name: 'Again' }).click();
        await page.getByRole('button', { name: 'Stop' }).waitFor();
        await page.getByLabel('Message').press('Escape');
        await page.getByText(/· stopped/).waitFor();
        assert.equal(await page.getByRole('article').count(), 2);
        assert.ok(setup().site.chat.left >= left + 2);
      }));

    it('shows thoughts folded', () =>
      inPage(async page => {
        await ask(page, 'think');
        await page.getByText('It is Paris.').waitFor();
        const thought = page.getByText('Let me think.');
        assert.equal(await thought.isVisible(), false);
        await page.getByText('Thoughts').click();
        await thought.waitFor();
      }));

    it('shows how likely tokens were, pointed at and by keys', () =>
      inPage(async page => {
        await page.getByLabel('Log-probabilities of tokens').check();
        await ask(page, 'Hi');
        await page.getByRole('button', { name: 'Again' }).waitFor();
        assert.equal(asked().top_logprobs, 5);
        await page.getByText('Paris.', { exact: true }).hover();
        await page.getByText('81.9 % (-0.200)').waitFor();
        await page.getByText('13.5 %').waitFor();
        await page.getByRole('group', { name: /^Tokens/ }).focus();
        await page.keyboard.press('Escape');
        await page.keyboard.press('ArrowRight');
        await page.getByText('It␣', { exact: true }).waitFor();
        await page.keyboard.press('ArrowRight');
        await page.getByText('is␣', { exact: true }).waitFor();
      }));

    it('holds an answer to a schema and shows the JSON', () =>
      inPage(async page => {
        await page.getByText('Form of the answer').click();
        await page.getByLabel('Form', { exact: true }).selectOption('json_schema');
        await ask(page, 'Hi');
        await page.getByText('JSON Schema: this is no JSON').waitFor();
        await page.getByLabel('JSON Schema').fill('{"type": "object"}');
        await page.getByRole('button', { name: 'Again' }).click();
        await page.getByText('"city": "Paris"').waitFor();
        assert.deepEqual(asked().response_format.json_schema.schema, { type: 'object' });
      }));

    it('shows calls of tools and gives their results', () =>
      inPage(async page => {
        await page.getByText('Tools', { exact: true }).click();
        await page.getByLabel('Functions').fill('[{"name": "weather", "parameters": {"type": "object"}}]');
        await ask(page, 'Weather?');
        await page.getByLabel('Result of weather').fill('rain');
        await page.getByText('"city": "Paris"').waitFor();
        await page.getByRole('button', { name: 'Give the results' }).click();
        await page.getByText('It is Paris.').waitFor();
        const [call, result] = asked().messages.slice(-2);
        assert.equal(call.tool_calls[0].function.arguments, '{"city":"Paris"}');
        assert.deepEqual(result, { role: 'tool', tool_call_id: 'call_1', content: 'rain' });
      }));

    it('says what went wrong, before the answer and in the middle of it', () =>
      inPage(async page => {
        await ask(page, 'refuse');
        await page.getByText('max_tokens: must be positive').waitFor();
        await ask(page, 'fail');
        await page.getByText('The engine has died').waitFor();
        await page.getByText('It is Paris.').waitFor();
        await page.getByRole('button', { name: 'New chat' }).click();
        assert.equal(await page.getByRole('article').count(), 0);
      }));

    it('goes on while other views are looked at', () =>
      inPage(async page => {
        await ask(page, 'endless');
        await page.getByText(/again again/).waitFor();
        await page.getByRole('link', { name: 'Models' }).click();
        await page.getByRole('heading', { name: 'Models' }).waitFor();
        await page.getByRole('link', { name: 'Chat' }).click();
        await page.getByRole('button', { name: 'Stop' }).click();
      }));

    it('asks the server itself, which without keys answers its own page', () =>
      setup().visitPlain('#/chat', async page => {
        await ask(page, 'Hi');
        await page.getByText('It is Paris.').waitFor();
        await page.getByText(/^12 tokens/).waitFor();
      }));

    it('puts text that looks like a page in as text', () =>
      inPage(async page => {
        await ask(page, '<img src=x onerror="document.title = 1"><b>bold</b>');
        await page.getByText('<b>bold</b>').waitFor();
        assert.equal(await page.locator('main img, main b').count(), 0);
      }));
  });
}

export async function ask(page: Page, text: string): Promise<void> {
  await page.getByLabel('Message').fill(text);
  await page.getByLabel('Message').press('Enter');
}
