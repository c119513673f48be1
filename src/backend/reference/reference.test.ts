import { parity } from '../parity.ts';
import { createReferenceBackend } from './reference.ts';

parity('reference', createReferenceBackend);
