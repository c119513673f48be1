import cliProgress from 'cli-progress';
import type { FetchOptions } from '../catalog/fetch.ts';
import { formatBytes, remark } from './output.ts';

/** Shows how far something is, on standard error: a bar on a terminal, a line now and then elsewhere. */
export interface ProgressView {
  update(label: string, done: number, total: number): void;
  /** Ends the bar, so that other text may follow. */
  stop(): void;
}

export function progressView(): ProgressView {
  return process.stderr.isTTY ? barView() : lineView();
}

/** What a download says, shown; call `stop` when it is over. */
export function fetchObserver(): FetchOptions & { stop(): void } {
  const view = progressView();
  return {
    // pip draws its bar only for a terminal.
    showPip: process.stderr.isTTY,
    progress: ({ source, received, total }) => view.update(source, received, total),
    note: line => {
      view.stop();
      remark(line);
    },
    stop: () => view.stop(),
  };
}

/** Bytes per second since the first sight of something, which may not have begun at 0 (resumed downloads). */
class Speed {
  readonly #startMs = performance.now();
  readonly #from: number;

  constructor(from: number) {
    this.#from = from;
  }

  text(done: number): string {
    const seconds = (performance.now() - this.#startMs) / 1000;
    return seconds > 0.2 ? `${formatBytes(Math.round((done - this.#from) / seconds))}/s` : '';
  }
}

function barView(): ProgressView {
  let bar: cliProgress.SingleBar | undefined;
  let speed = new Speed(0);
  return {
    update(label, done, total) {
      if (!bar) {
        const format = '{label} [{bar}] {percentage}%  {size}  {speed}  {eta_formatted} left';
        bar = new cliProgress.SingleBar({ format, hideCursor: true, fps: 8, barsize: 24 }, cliProgress.Presets.legacy);
        bar.start(total, done, { label, size: '', speed: '' });
        speed = new Speed(done);
      }
      bar.update(done, { size: `${formatBytes(done)} of ${formatBytes(total)}`, speed: speed.text(done) });
    },
    stop() {
      bar?.stop();
      bar = undefined;
    },
  };
}

function lineView(): ProgressView {
  let shown = -1;
  let speed = new Speed(0);
  return {
    update(label, done, total) {
      const tenth = Math.floor((done / Math.max(1, total)) * 10);
      if (shown < 0) speed = new Speed(done);
      if (tenth === shown) return;
      shown = tenth;
      remark(`${label}: ${tenth * 10} % of ${formatBytes(total)}  ${speed.text(done)}`.trimEnd());
    },
    stop() {
      shown = -1;
    },
  };
}
