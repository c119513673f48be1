/** Opens the scripted model in an engine worker; the path says how it behaves. */
import { RealmError } from '../../src/errors.ts';
import { ScriptedModel } from './scripted-model.ts';

export async function openModel(
  { file: path }: { file: string },
  onProgress: (loaded: number, total: number) => void,
): Promise<{ model: ScriptedModel; source: { backend: string; fileSize: number; loadMs: number } }> {
  if (path === 'refused') throw new RealmError('gguf_invalid', 'refused: not a model', { param: 'path' });
  if (path === 'dies while loading') process.exit(3);
  onProgress(50, 100);
  onProgress(100, 100);
  const model = new ScriptedModel();
  // The throw is outside any promise: the whole thread goes down.
  if (path === 'dies while running') {
    model.beforeRun = () => {
      if (model.runs === 5)
        setImmediate(() => {
          throw new Error('out of luck');
        });
    };
  }
  if (path === 'exits while running') {
    model.beforeRun = () => {
      if (model.runs === 5) process.exit(7);
    };
  }
  return { model, source: { backend: 'scripted', fileSize: 100, loadMs: 1 } };
}
