import type { RealmError } from '../errors.ts';
import { errorBody } from './errors.ts';
import { messagesError } from './messages/errors.ts';
import { ollamaError } from './ollama/errors.ts';
import { tidyPath } from './paths.ts';

/** An error in the shape of the API that was asked; what is no other's has OpenAI's. */
export function errorInShape(request: Request, error: RealmError, requestId: string): object {
  const path = tidyPath(request);
  if (/^(\/v1)?\/messages(\/|$)/.test(path) || request.headers.has('anthropic-version'))
    return messagesError(error, requestId);
  if (path.startsWith('/api/')) return ollamaError(error, requestId);
  return errorBody(error, requestId);
}
