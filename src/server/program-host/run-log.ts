import type { SequenceHost } from '../../sandbox/v2/types.ts';
import type { SequenceRun } from './sequence-run.ts';

const mostLines = 100;
const mostCharacters = 1000;

/**
 * What a program writes to the log: few and short lines, at level debug, since their text is the tenant's. Of a tenant
 * that is being debugged, as everything else of its text is; of others without the text.
 */
export function runLog({ context, request }: Pick<SequenceRun, 'context' | 'request'>): SequenceHost['log'] {
  const { services, exchange, job } = context;
  let lines = 0;
  return (level, text) => {
    if (++lines > mostLines) return;
    services.logger.log('debug', 'program', {
      request_id: exchange.id,
      run: request.id,
      tenant: job.tenant.id,
      program_level: level,
      characters: text.length,
      text: job.tenant.debug ? text.slice(0, mostCharacters) : undefined,
      last: lines === mostLines || undefined,
    });
  };
}
