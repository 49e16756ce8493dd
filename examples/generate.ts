// A tiny GPT learns three sentences by heart, and continues them as a stream. Argument: number of steps.
import { compile, generate, losses, models, optim, type Tensor, text } from 'pollux';

const [steps = 150] = process.argv.slice(2).map(Number);
const sentences = ['The café is open until nine.', 'A cat sat on the mat.', 'Dogs run fast in 東京 today.'];
const tokenizer = await text.trainBpe(sentences, { vocabularySize: 300 });
const end = tokenizer.padId;

const { ids, lengths } = tokenizer.encodeBatch(sentences);
const [rows, length] = ids.shape;
const next = Int32Array.from(ids.data, (_, i) => (i % length < lengths.data[Math.floor(i / length)]! - 1 ? ids.data[i + 1]! : end));

const model = new models.Gpt2({ vocabularySize: tokenizer.vocabularySize, maxLength: 64, size: 32, layers: 2, heads: 4, dropout: 0 });
const optimizer = optim.adam({ learningRate: 0.01 }).for(model);
const step = compile(
  { state: [model, optimizer] },
  (x: Tensor<readonly [number, number], 'int32'>, y: Tensor<readonly [number], 'int32'>) => {
    const loss = losses.crossEntropy(model.forward(x).reshape([rows * length, model.vocabularySize]), y);
    optimizer.minimize(loss);
    return loss;
  },
);
for (let i = 0; i < steps; i++) await step(ids, { data: next, shape: [rows * length] });

for (const sentence of sentences) {
  const begin = sentence.split(' ', 2).join(' ');
  process.stdout.write(begin);
  for await (const { text } of generate.stream(model, tokenizer, begin, { stopTokens: end })) process.stdout.write(text);
  console.log();
}
