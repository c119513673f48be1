import { GuestError } from '../abi.ts';
import { tooSmall } from './arguments.ts';
import type { SequenceGuest } from './guest.ts';
import type { SentSubmission } from './messages.ts';
import { Refusal } from './refusal.ts';
import { wrong } from './sampler.ts';
import type { Sequence } from './sequence.ts';
import { REQUEST_BYTES, readRequest } from './submit-request.ts';
import { Ticket } from './ticket.ts';

/** Calls that run sequences on. */

function submit(guest: SequenceGuest, at: number, count: number): number {
  const requests = count >>> 0;
  if (requests === 0 || requests > guest.limits.sequences) {
    throw wrong(`a submit of ${requests} requests; it takes 1 to ${guest.limits.sequences}`);
  }
  const view = guest.arguments.view(at, requests * REQUEST_BYTES);
  const sequences: [handle: number, sequence: Sequence][] = [];
  const submissions: SentSubmission[] = [];
  for (let i = 0; i < requests; i++) {
    const { handle, sequence, submission } = readRequest(guest, view, i * REQUEST_BYTES);
    if (sequences.some(([, other]) => other === sequence)) throw wrong(`sequence ${handle} stands there twice`);
    sequences.push([handle, sequence]);
    submissions.push(submission);
  }
  const { place } = guest;
  const ticket = guest.tickets.add(handle => new Ticket(handle, sequences));
  place.post({ kind: 'submit', run: place.run, ticket, submissions });
  return ticket;
}

async function wait(
  guest: SequenceGuest,
  at: number,
  count: number,
  any: number,
  out: number,
  room: number,
): Promise<number> {
  if (count === 0) throw new Refusal(GuestError.nothingToWaitFor, 'there is no ticket to wait for');
  if (any >>> 0 > 1) throw wrong('any is 0 or 1');
  const handles = guest.arguments.words(at, count, guest.limits.tickets);
  if (new Set(handles).size < handles.length) throw wrong('a ticket stands there twice');
  const tickets = Array.from(handles, handle => guest.tickets.get(handle));
  guest.arguments.checkRoom(out, room);
  await guest.place.readerCaughtUp();
  guest.place.checkAlive();
  const isComplete = (ticket: Ticket) => ticket.isComplete;
  while (any ? !tickets.some(isComplete) : !tickets.every(isComplete)) await guest.nextResult();
  return write(guest, tickets.filter(isComplete), out, room);
}

/** Writes the records of complete tickets, which are consumed, or nothing. */
function write(guest: SequenceGuest, tickets: readonly Ticket[], out: number, room: number): number {
  const bytes = tickets.reduce((sum, ticket) => sum + ticket.bytes, 0);
  if (room === 0) return bytes;
  if (bytes > room >>> 0) throw tooSmall(bytes, room >>> 0);
  const target = guest.arguments.bytes(out, bytes);
  let end = 0;
  let failure: string | undefined;
  for (const ticket of tickets) {
    failure = ticket.failure ?? failure;
    for (const record of ticket.consume()) {
      target.set(record, end);
      end += record.length;
    }
    guest.tickets.delete(ticket.handle);
  }
  guest.place.noteHost(failure !== undefined);
  guest.error = failure ?? guest.error;
  return bytes;
}

function cancel(guest: SequenceGuest, handle: number): number {
  const ticket = guest.tickets.get(handle);
  if (!ticket.isComplete) guest.place.post({ kind: 'cancel_ticket', run: guest.place.run, ticket: ticket.handle });
  return 0;
}

export const ticketCalls = { submit, wait, cancel };
