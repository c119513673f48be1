import { parity } from '../parity/parity.ts';
import { createReferenceBackend } from './reference.ts';

parity('reference', createReferenceBackend);
