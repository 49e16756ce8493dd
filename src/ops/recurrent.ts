// Recurrent layers: one op for each direction of a layer. The products of the input with its weight, for all steps at once, are
// a matmul outside; so is the gradient of the recurrent weight.
import { gruRecords } from './recurrentGru.js';
import { lstmRecords } from './recurrentLstm.js';
import { rnnRecords } from './recurrentRnn.js';

export const recurrentRecords = { ...lstmRecords, ...gruRecords, ...rnnRecords };

export { gru, gruCell } from './recurrentGru.js';
export { lstm, lstmCell } from './recurrentLstm.js';
export { rnn, rnnCell } from './recurrentRnn.js';
export type { RnnActivation } from './recurrentRnn.js';
