import type { DeviceChoice } from '../backend/device.ts';
import { loadModel, type ServedModel } from '../llm/load.ts';
import { remark } from './output.ts';
import { fetchObserver, progressView } from './progress.ts';

export interface LoadOptions {
  readonly model?: string;
  readonly context?: number;
  readonly threads?: number;
  readonly device?: DeviceChoice;
  readonly gpuLayers?: number;
}

/** Fetches (where it is not there) and loads the model that a command names, with progress on standard error. */
export async function loadForRun(options: LoadOptions): Promise<{ model: ServedModel; close(): Promise<void> }> {
  const { model: name, context, threads, device, gpuLayers } = options;
  const { observer, onProgress, stop } = loadProgress();
  try {
    const source = name === undefined ? {} : { source: { catalog: name } };
    const model = await loadModel(source, {
      context,
      threads,
      device,
      gpuLayers,
      observer,
      onProgress,
      onWarning: remark,
    });
    return { model, close: () => model.engine.close() };
  } finally {
    stop();
  }
}

/** Small files load before a bar would be of use. */
const worthABar = 500e6;

/** Bars for downloads and for loading; `stop` when both are over. */
export function loadProgress() {
  const download = fetchObserver();
  const loading = progressView();
  return {
    observer: download,
    onProgress: (loaded: number, total: number): void => {
      download.stop();
      if (process.stderr.isTTY && total >= worthABar) loading.update('Loading', loaded, total);
    },
    stop: (): void => {
      download.stop();
      loading.stop();
    },
  };
}
