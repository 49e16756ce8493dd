// Every op, once: the builders, and `records`, the one list of ops that the rest of the system reads.
import type { Op } from '../graph/op.js';
import { argRecords } from './arg.js';
import { arithmeticRecords } from './arithmetic.js';
import { attentionRecords } from './attention.js';
import { batchNormRecords } from './batchNorm.js';
import { binaryRecords } from './binary.js';
import { broadcastRecords } from './broadcast.js';
import { cacheUpdateRecords } from './cacheUpdate.js';
import { castRecords } from './cast.js';
import { comparisonRecords } from './comparison.js';
import { convRecords } from './conv.js';
import { crossEntropyRecords } from './crossEntropy.js';
import { ctcRecords } from './ctc.js';
import { cumulativeRecords } from './cumulative.js';
import { effectRecords } from './effect.js';
import { embeddingRecords } from './embedding.js';
import { elementwiseRecord } from './elementwiseProgram.js';
import { fftRecords } from './fft.js';
import { fusedRecords } from './fused.js';
import { groupNormRecords } from './groupNorm.js';
import { indexingRecords } from './indexing.js';
import { layerNormRecords } from './layerNorm.js';
import { interpolateRecords } from './interpolate.js';
import { leafRecords } from './leaf.js';
import { logicRecords } from './logic.js';
import { matmulRecords } from './matmul.js';
import { movementRecords } from './movement.js';
import { optimizerRecords } from './optimizerRules.js';
import { poolRecords } from './pool.js';
import { randomRecords } from './random.js';
import { recurrentRecords } from './recurrent.js';
import { reduceRecords } from './reduce.js';
import { rotaryRecords } from './rotary.js';
import { scatterRecords } from './scatter.js';
import { searchRecords } from './search.js';
import { softmaxRecords } from './softmax.js';
import { sortRecords } from './sort.js';
import { specialRecords } from './special.js';
import { unaryRecords } from './unary.js';
import { unfoldRecords } from './unfold.js';
import { whereRecords } from './where.js';

const named = {
  ...leafRecords,
  ...unaryRecords,
  ...specialRecords,
  ...arithmeticRecords,
  ...binaryRecords,
  ...comparisonRecords,
  ...logicRecords,
  ...whereRecords,
  ...castRecords,
  ...broadcastRecords,
  ...movementRecords,
  ...reduceRecords,
  ...argRecords,
  ...indexingRecords,
  ...cumulativeRecords,
  ...sortRecords,
  ...searchRecords,
  ...scatterRecords,
  ...matmulRecords,
  ...convRecords,
  ...poolRecords,
  ...interpolateRecords,
  ...unfoldRecords,
  ...softmaxRecords,
  ...crossEntropyRecords,
  ...ctcRecords,
  ...batchNormRecords,
  ...layerNormRecords,
  ...fftRecords,
  ...groupNormRecords,
  ...embeddingRecords,
  ...attentionRecords,
  ...rotaryRecords,
  ...cacheUpdateRecords,
  ...recurrentRecords,
  ...randomRecords,
  ...optimizerRecords,
  ...effectRecords,
  ...fusedRecords,
};

/** All records by name. */
export const records = {
  ...named,
  elementwise: elementwiseRecord((name) => (Object.hasOwn(named, name) ? (named[name as keyof typeof named] as unknown as Op) : undefined)),
};

export type OpName = keyof typeof records;

export * from './activations.js';
export * from './arg.js';
export * from './arithmetic.js';
export * from './attention.js';
export * from './batchNorm.js';
export * from './binary.js';
export * from './broadcast.js';
export * from './cacheUpdate.js';
export * from './cast.js';
export * from './checkpoint.js';
export * from './comparison.js';
export * from './conv.js';
export * from './conv1d.js';
export * from './conv3d.js';
export * from './convTranspose.js';
export * from './crossEntropy.js';
export { ctc } from './ctc.js';
export * from './customGradient.js';
export { defineOp, defineRecord } from './define.js';
export type { OpDefinition } from './define.js';
export * from './cumulative.js';
export * from './distance.js';
export * from './effect.js';
export * from './einsum.js';
export * from './embedding.js';
export * from './embeddingBag.js';
export { decodeProgram, encodeProgram } from './elementwiseProgram.js';
export type { Instruction, Program, ProgramAttributes } from './elementwiseProgram.js';
export * from './fft.js';
export * from './gradient.js';
export * from './groupNorm.js';
export * from './indexing.js';
export * from './layerNorm.js';
export * from './interpolate.js';
export * from './leaf.js';
export * from './logic.js';
export * from './matmul.js';
export * from './movement.js';
export * from './numeric.js';
export * from './optimizer.js';
export * from './optimizerRules.js';
export * from './pool.js';
export * from './poolAdaptive.js';
export * from './random.js';
export * from './recurrent.js';
export * from './reduce.js';
export { scan, scanRecord } from './scan.js';
export type { Iteration, LateSequence, ScanAttributes, ScanOptions } from './scan.js';
export * from './rotary.js';
export * from './sampling.js';
export * from './scatter.js';
export * from './search.js';
export * from './softmax.js';
export * from './sort.js';
export * from './structural.js';
export * from './special.js';
export * from './unary.js';
export * from './unique.js';
export * from './unfold.js';
export * from './where.js';
export { paddingOf, pairOf, reachOf } from './window.js';
export type { Padding, Pair } from './window.js';
