// The members of `datasets`.
export { fashionClasses, fashionMnist, parallelText, sentiment } from './corpora.js';
export { idx, mnist, mnistMean, mnistStd } from './datasets.js';
