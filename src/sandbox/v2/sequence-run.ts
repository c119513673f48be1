import type { ConstraintSource } from '../../output-format/constraint-source.ts';
import { GuestError } from '../abi.ts';
import { sleep } from '../sleep.ts';
import type { ProgramHost } from '../types.ts';
import type { Answers, AskedConstraint, FromSequences, Question, SentSubmission, ToSequences } from './messages.ts';
import { emptyRecord, Reason, writeRecord } from './record.ts';
import { Refusal, refusalOf } from './refusal.ts';
import { submitSent } from './submit-sent.ts';
import type { SequenceHost } from './types.ts';

/** What a run does for the sequences of its program. */
export interface RunPorts {
  readonly host: ProgramHost;
  readonly run: number;
  /** Aborted when the run is over. */
  readonly over: AbortSignal;
  send(message: ToSequences): void;
  /** Adds to the answer; a promise of room for more where its reader is behind. */
  stream(text: string): Promise<void> | undefined;
  /** In order with what is streamed. */
  emit(message: Extract<FromSequences, { kind: 'emit' }>): void;
  /** What the program may have to answer for. */
  failed(error: unknown): void;
  /** Counts the submissions of all runs that the host has not ended. */
  readonly submissions: { open: number };
  /** How long the next question must wait, ms. */
  delayMs(): number;
}

/** The server's side of what a run of ABI v2 asks and submits. */
export class SequenceRun {
  readonly #ports: RunPorts;
  readonly #tickets = new Map<number, AbortController>();
  readonly #constraints = new Map<number, ConstraintSource>();
  #open = 0;

  constructor(ports: RunPorts) {
    this.#ports = ports;
  }

  /** Submissions that the host has not ended, and constraints that are kept. */
  get counts() {
    return { submissions: this.#open, constraints: this.#constraints.size };
  }

  receive(message: FromSequences): void {
    switch (message.kind) {
      case 'ask':
        void this.#answer(message.question);
        break;
      case 'submit':
        this.#submitAll(message.ticket, message.submissions);
        break;
      case 'cancel_ticket':
        this.#tickets.get(message.ticket)?.abort();
        break;
      case 'drop_constraint':
        this.#constraints.delete(message.id);
        break;
      case 'emit':
        this.#ports.emit(message);
        break;
      case 'log':
        this.#ports.host.sequences?.log(message.level, message.text);
        break;
      default:
        message satisfies never;
    }
  }

  /** The run is over: whatever is open is cancelled. */
  end(): void {
    for (const ticket of this.#tickets.values()) ticket.abort();
    this.#tickets.clear();
    this.#constraints.clear();
  }

  async #answer(question: Question): Promise<void> {
    const { over, run, send, failed, delayMs } = this.#ports;
    const wait = delayMs();
    if (wait >= 1) await sleep(wait);
    if (over.aborted) return;
    try {
      const value = await this.#ask(question);
      if (!over.aborted) send({ kind: 'answer', run, value });
    } catch (error) {
      failed(error);
      const { code, message } = refusalOf(error);
      send({ kind: 'refused', run, code, message });
    }
  }

  async #ask(question: Question): Promise<Answers[keyof Answers]> {
    const { host, over } = this.#ports;
    if (question.ask === 'model') return await host.metadata(question.modelId);
    const sequences = this.#sequences;
    switch (question.ask) {
      case 'find':
        return sequences.findModel(question.name);
      case 'chat':
        return sequences.chatTokens(question.modelId, question.document);
      case 'text':
        return sequences.textTokens(question.modelId, question.text, question.how);
      case 'decode':
        return host.decode(question.modelId, question.tokens);
      case 'constraint':
        return this.#compile(question);
      case 'logits':
        return sequences.logits(question.position, over);
      case 'embed':
        return sequences.embed(question.modelId, question.text, over);
      case 'parse':
        return sequences.parse(question.modelId, question.tools, question.tokens);
      case 'save':
        return this.#save(question);
      case 'open':
        return sequences.open(question.modelId, question.key);
      case 'tool':
        return sequences.tool(question.name, question.input, over);
      case 'adapter':
        return sequences.checkAdapter(question.modelId, question.name).then(() => undefined);
      case 'budget':
        return sequences.budget();
    }
  }

  get #sequences(): SequenceHost {
    const { sequences } = this.#ports.host;
    if (!sequences) throw new Refusal(GuestError.notSupported, 'this host has no sequences');
    return sequences;
  }

  async #compile({ modelId, id, source }: Extract<Question, { ask: 'constraint' }>): Promise<undefined> {
    const compiled = await this.#sourceOf(modelId, source);
    await this.#sequences.checkConstraint(modelId, compiled);
    if (!this.#ports.over.aborted) this.#constraints.set(id, compiled);
    return undefined;
  }

  async #sourceOf(
    modelId: Parameters<SequenceHost['toolConstraint']>[0],
    source: AskedConstraint,
  ): Promise<ConstraintSource> {
    if (source.kind !== 'tools') return source;
    return this.#sequences.toolConstraint(modelId, source.tools, source.choice);
  }

  async #save({ modelId, key, saved, ttlSeconds }: Extract<Question, { ask: 'save' }>): Promise<undefined> {
    try {
      await this.#sequences.save(modelId, key, saved, ttlSeconds);
      return undefined;
    } catch (error) {
      const { code, message } = refusalOf(error);
      // A quota of what is kept, not of what is spent.
      throw code === GuestError.budgetSpent ? new Refusal(GuestError.limit, message) : error;
    }
  }

  #submitAll(ticket: number, submissions: readonly SentSubmission[]): void {
    if (this.#ports.over.aborted) return;
    const controller = new AbortController();
    this.#tickets.set(ticket, controller);
    let missing = submissions.length;
    for (const [index, submission] of submissions.entries()) {
      void this.#submit(ticket, index, submission, controller.signal).finally(() => {
        if (--missing === 0) this.#tickets.delete(ticket);
      });
    }
  }

  async #submit(ticket: number, index: number, sent: SentSubmission, signal: AbortSignal): Promise<void> {
    const { run, over, send, submissions } = this.#ports;
    this.#open++;
    submissions.open++;
    const result = await this.#run(sent, signal);
    this.#open--;
    submissions.open--;
    if (!over.aborted) send({ kind: 'submitted', run, ticket, index, ...result });
  }

  async #run(
    { streams, constraint, ...sent }: SentSubmission,
    signal: AbortSignal,
  ): Promise<{ record: Uint8Array; message?: string | undefined }> {
    const { stream, failed } = this.#ports;
    const source = constraint === undefined ? undefined : this.#constraints.get(constraint);
    const submission = { ...sent, constraint: source };
    try {
      const done = await submitSent(this.#sequences, submission, signal, streams ? stream : undefined);
      return { record: writeRecord(done, sent.topLogprobs, sent.scored?.length) };
    } catch (error) {
      if (signal.aborted) return { record: emptyRecord(Reason.cancelled, 0) };
      failed(error);
      const { code, message } = refusalOf(error);
      return { record: emptyRecord(Reason.failed, code), message };
    }
  }
}
