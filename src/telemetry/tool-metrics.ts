import { Counter, type Registry } from 'prom-client';

export interface ToolSample {
  readonly tool: string;
  /** Of the error; absent: it answered. */
  readonly code: string | undefined;
  readonly ms: number;
}

export interface ToolMetrics {
  called(sample: ToolSample): void;
}

/** Tools are the operator's: their names are few. */
export function toolMetrics(registers: Registry[]): ToolMetrics {
  const calls = new Counter({
    name: 'realm_tool_calls_total',
    help: 'Calls of tools by programs and pipelines, by the code of their error',
    labelNames: ['tool', 'code'],
    registers,
  });
  const seconds = new Counter({
    name: 'realm_tool_seconds_total',
    help: 'Time spent waiting for tools',
    labelNames: ['tool'],
    registers,
  });
  return {
    called({ tool, code = '', ms }) {
      calls.inc({ tool, code });
      seconds.inc({ tool }, ms / 1000);
    },
  };
}
