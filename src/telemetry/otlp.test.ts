import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SpanExporter } from '@opentelemetry/sdk-trace';
import { reporting } from './otlp.ts';

test('a collector that is lost is a line in the log, and one more when it is back', () => {
  const lines: string[] = [];
  const logger = { log: (level: string, message: string) => lines.push(`${level} ${message}`) };
  let code = 0;
  const exporter: SpanExporter = {
    export: (_, done) => done({ code, ...(code === 1 && { error: new Error('refused') }) }),
    shutdown: async () => {},
  };
  const reported = reporting(exporter, 'http://collector:4318/v1/traces', logger);
  for (code of [0, 1, 1, 1, 0, 0]) reported.export([], () => {});
  assert.deepEqual(lines, ['warn traces not sent', 'info traces are sent again']);
});
