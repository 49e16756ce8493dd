import { MultiHeadAttention } from './attention.js';

// Its #private method comes with its constructor alone, so a copy begins with a new layer of the same settings.
Object.defineProperty(MultiHeadAttention.prototype, 'renew', {
  configurable: true,
  value(this: MultiHeadAttention): MultiHeadAttention {
    const { embedSize, heads, kvHeads, headSize, causal, window, alibi, dropout } = this;
    return new MultiHeadAttention(embedSize, heads, { kvHeads, headSize, causal, window, alibi, dropout });
  },
});
