import { askForModel, wordsOf } from './load.js';

const form = document.getElementById('ask');
const { text, send, stop } = form.elements;
const messages = [];

const write = said => {
  const paragraph = Object.assign(document.createElement('p'), { className: 'said', textContent: said });
  document.getElementById('talk').append(paragraph);
  return paragraph;
};

await askForModel(document.getElementById('model'), model => {
  form.hidden = false;
  text.focus();
  form.onsubmit = async event => {
    event.preventDefault();
    send.disabled = true;
    messages.push({ role: 'user', content: text.value });
    write(`You: ${text.value}`);
    form.reset();
    const answering = new AbortController();
    stop.onclick = () => answering.abort();
    const paragraph = write('');
    try {
      const answer = model.chat(messages, { maxTokens: 500, signal: answering.signal });
      for await (const chunk of answer) paragraph.textContent += chunk.text;
    } catch (error) {
      if (error.code !== 'request_cancelled') write(wordsOf(error));
    }
    // What was stopped was said all the same.
    messages.push({ role: 'assistant', content: paragraph.textContent });
    send.disabled = false;
  };
});
