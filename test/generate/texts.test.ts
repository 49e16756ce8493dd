import { beforeAll, describe, expect, it } from 'vitest';
import { compile, generate, losses, models, optim, seed, type Tensor, text } from '../../src/index.js';
import { TextTracker } from '../../src/generate/textTracker.js';

const sentences = ['the café is open until nine.', 'a naïve cat 🙂 sat on the mat.', 'dogs run fast in 東京 today.'];
let tokenizer: text.Tokenizer;
let model: models.Gpt2;
const stop = 0;

/** Three sentences by heart: a tiny transformer needs a hundred steps or so. */
beforeAll(async () => {
  seed(1);
  tokenizer = await text.trainBpe(sentences, { vocabularySize: 280, specialTokens: ['<end>'] });
  expect(tokenizer.idOf('<end>')).toBe(stop);
  model = new models.Gpt2({ vocabularySize: tokenizer.vocabularySize, maxLength: 48, size: 32, layers: 2, heads: 4, dropout: 0 });
  const rows = sentences.map((line) => [...tokenizer.encode(line).ids, stop]);
  const length = Math.max(...rows.map((row) => row.length)) - 1;
  const fill = (from: number, pad: number) =>
    Int32Array.from(rows.flatMap((row) => Array.from({ length }, (_, i) => (i + 1 < row.length ? row[i + from]! : pad))));
  const optimizer = optim.adam({ learningRate: 0.01 }).for(model);
  const step = compile({ state: [model, optimizer] }, (x: Tensor<readonly [number, number], 'int32'>, y: Tensor) => {
    const logits = model.forward(x);
    const loss = losses.crossEntropy(logits.reshape([-1, model.vocabularySize]) as never, y.reshape([-1]) as never) as Tensor;
    optimizer.minimize(loss as never);
    return loss;
  });
  const [x, y] = [fill(0, stop), fill(1, stop)].map((data) => ({ data, shape: [3, length], dtype: 'int32' as const }));
  let loss = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 200 && loss > 0.02; i++) loss = ((await step(x as never, y as never)) as Tensor).item();
  expect(loss).toBeLessThan(0.05);
}, 60_000);

describe('a model that knows its sentences', () => {
  it('continues each of them', async () => {
    const begins = sentences.map((line) => line.split(' ').slice(0, 2).join(' '));
    const found = await generate.generate(model, begins, { tokenizer, stopTokens: stop });
    expect(found.map((one, i) => begins[i] + one.text!)).toEqual(sentences);
    expect(found.map(({ reason }) => reason)).toEqual(['stopToken', 'stopToken', 'stopToken']);
  });

  it('streams whole characters only', async () => {
    const pieces: generate.Piece[] = [];
    for await (const piece of generate.stream(model, tokenizer, ['a naïve', 'dogs'], { stopTokens: stop })) pieces.push(piece);
    for (const [i, begin] of ['a naïve', 'dogs'].entries()) {
      const own = pieces.filter(({ sequence }) => sequence === i);
      expect(begin + own.map((piece) => piece.text).join('')).toBe(sentences[i + 1]);
      expect(own.some((piece) => piece.text.includes('\ufffd'))).toBe(false);
      expect(own.at(-1)).toMatchObject({ reason: 'stopToken', token: stop });
    }
  });

  it('stops before a stop string, also one that comes in parts', async () => {
    const [found] = await generate.generate(model, 'a naïve', { tokenizer, stopStrings: ['on the m', 'nothing'], stopTokens: stop });
    expect(found).toMatchObject({ text: ' cat 🙂 sat ', reason: 'stopString' });
    const [none] = await generate.generate(model, 'a naïve', { tokenizer, stopStrings: 'mat.!', stopTokens: stop });
    expect(none).toMatchObject({ text: ' cat 🙂 sat on the mat.', reason: 'stopToken' });
    const pieces: string[] = [];
    for await (const piece of generate.stream(model, tokenizer, 'a naïve', { stopStrings: '🙂 s' })) pieces.push(piece.text);
    expect(pieces.join('')).toBe(' cat ');
    await expect(generate.generate(model, [5], { stopStrings: 'x' })).rejects.toThrow(/give the tokenizer/);
  });

  it('knows them as the best of its beams', async () => {
    const [found] = await generate.generate(model, 'the café', { tokenizer, beams: 3, stopTokens: stop });
    expect(`the café${found!.text}`).toBe(sentences[0]);
    expect(found!.score).toBeGreaterThan(-0.1);
  });
});

describe('a text that grows', () => {
  it('holds bytes back until they are a character, and gives what is left at the end', () => {
    const line = 'é🙂 東';
    const ids = tokenizer.encode(line).ids;
    const tracker = new TextTracker(tokenizer, []);
    const parts = ids.map((id, i) => tracker.push(id, i === ids.length - 1).text);
    expect(parts.join('')).toBe(line);
    expect(parts.every((part) => !part.includes('\ufffd'))).toBe(true);
    const cut = new TextTracker(tokenizer, []);
    expect(tokenizer.encode('🙂🙂').ids.length).toBeGreaterThan(1);
    const emoji = tokenizer.encode('𝄞').ids;
    expect(emoji.length).toBeGreaterThan(1);
    expect(cut.push(emoji[0]!, false).text).toBe('');
    expect(cut.push(emoji[1]!, true).text).toMatch(/^\ufffd+$/);
  });
});
