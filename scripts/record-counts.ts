/**
 * Writes test/fixtures/step-counts.json. Run it when a change makes steps cheaper, or dearer for a reason that its commit
 * tells: the file's difference shows what it costs.
 */
import { writeFileSync } from 'node:fs';
import {
  countAllocations,
  countMessages,
  countSteps,
  recordFile,
  type StepRecord,
} from '../test/support/step-counts.ts';

const allocatedBytes = await countAllocations();
const record: StepRecord = { steps: await countSteps(), messages: await countMessages(), allocatedBytes };
writeFileSync(recordFile, `${JSON.stringify(record, null, 2)}\n`);
