import { RealmError } from '../../errors.ts';
import type { HttpToolConfig } from '../../tenancy/config.ts';
import type { ToolCall } from './types.ts';

/**
 * Asks the operator's URL: JSON in, JSON out. Only that URL is ever asked, whatever the input and the answer say. Throws
 * `tool_failed`, and the reason of the call's signal.
 */
export async function callHttpTool(tool: HttpToolConfig, { input, signal, tenant }: ToolCall): Promise<unknown> {
  const late = AbortSignal.timeout(tool.timeoutMs);
  try {
    const answer = await fetch(urlOf(tool, input), {
      method: tool.method,
      headers: headersOf(tool, tenant.id),
      body: hasBody(tool) ? JSON.stringify(input) : null,
      redirect: 'manual',
      signal: AbortSignal.any([signal, late]),
    });
    return await read(tool, answer);
  } catch (error) {
    signal.throwIfAborted();
    if (late.aborted) throw failed(tool, `did not answer within ${tool.timeoutMs} ms`);
    // What the system says of the connection names hosts.
    throw error instanceof RealmError ? error : failed(tool, 'could not be reached', error);
  }
}

const hasBody = ({ method }: HttpToolConfig) => method !== 'GET' && method !== 'DELETE';

function headersOf(tool: HttpToolConfig, tenant: string): Headers {
  const headers = new Headers({ accept: 'application/json', 'user-agent': 'realm', 'x-realm-tenant': tenant });
  if (hasBody(tool)) headers.set('content-type', 'application/json');
  for (const [name, value] of Object.entries(tool.headers)) headers.set(name, value);
  return headers;
}

/** Without a body the input's fields are parameters behind the operator's own. */
function urlOf(tool: HttpToolConfig, input: unknown): URL {
  const url = new URL(tool.url);
  if (hasBody(tool) || typeof input !== 'object' || input === null) return url;
  for (const [key, value] of Object.entries(input))
    if (!url.searchParams.has(key))
      url.searchParams.append(key, typeof value === 'string' ? value : JSON.stringify(value));
  return url;
}

async function read(tool: HttpToolConfig, answer: Response): Promise<unknown> {
  if (!answer.ok) {
    await answer.body?.cancel();
    const moved = answer.status >= 300 && answer.status < 400 ? ', and redirects are not followed' : '';
    throw failed(tool, `answered with status ${answer.status}${moved}`);
  }
  const text = await textOf(tool, answer);
  try {
    return text === '' ? null : JSON.parse(text);
  } catch (cause) {
    throw failed(tool, 'answered with what is no JSON', cause);
  }
}

async function textOf(tool: HttpToolConfig, { body }: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  // Leaving the loop cancels the rest.
  for await (const chunk of body ?? []) {
    bytes += chunk.length;
    if (bytes > tool.maxBytes) throw failed(tool, `answered with more than ${tool.maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function failed({ name }: HttpToolConfig, problem: string, cause?: unknown): RealmError {
  return new RealmError('tool_failed', `The tool ${name} ${problem}`, { cause });
}
