/** What the pages have in common: a form that asks for a model, and loads it. */
import { cachedModels, loadModel } from './browser.js';

const fields = `
  <label>Model: <input name="url" size="50" list="kept" placeholder="URL of a GGUF file"></label>
  <label>or a file: <input name="files" type="file" accept=".gguf" multiple></label>
  <datalist id="kept"></datalist>
  <button type="submit">Load</button>
  <p role="status"></p>`;

/** What the page's address says: a model, its checksum and system prompt, and whether it is loaded at once. */
const asked = new URLSearchParams(location.search);

/** Fills the form, and hands over the model that it loads. */
export async function askForModel(form, onModel, options = {}) {
  form.innerHTML = fields;
  const { url, files } = form.elements;
  const button = form.querySelector('button');
  const status = form.querySelector('[role=status]');
  url.value = asked.get('model') ?? '';
  form.onsubmit = async event => {
    event.preventDefault();
    button.disabled = true;
    try {
      const source = sourceOf(url.value, files.files);
      const model = await loadModel(source, {
        cache: true,
        ...(files.files.length === 0 && url.value === asked.get('model') && saidOfIt()),
        sampling: { temperature: 0.2, topP: 0.9 },
        onProgress: ({ phase, done, total }) => {
          status.textContent = `${phase}: ${megabytes(done)} of ${total ? megabytes(total) : 'unknown'} MB`;
        },
        onWarning: warning => console.warn(warning),
        ...options,
      });
      status.textContent = `${model.info.id} on ${model.info.backend}`;
      await onModel(model);
    } catch (error) {
      status.textContent = wordsOf(error);
      button.disabled = false;
    }
  };
  if (asked.has('load')) form.requestSubmit();
  // What the browser keeps needs no download; its name is its checksum.
  const kept = (await cachedModels().catch(() => [])).filter(({ complete }) => complete);
  form.querySelector('datalist').append(...kept.map(({ id, name }) => new Option(name, id)));
}

/** What the address says of its model. */
function saidOfIt() {
  const [sha256, system] = [asked.get('sha256'), asked.get('system')];
  return { ...(sha256 && { sha256 }), ...(system && { system }) };
}

/** All files of a split model are picked together. */
function sourceOf(url, picked) {
  if (picked.length > 0) return picked.length > 1 ? [...picked] : picked[0];
  if (url === '') throw new Error('which model? its URL, or a file');
  return url.startsWith('sha256:') ? url : new URL(url, location);
}

const megabytes = bytes => Math.round(bytes / 1e6);

/** Realm's errors have a code: docs/errors.md. */
export const wordsOf = ({ code = 'error', message }) => `${code}: ${message}`;
