import { type generate, models, seed, tensor } from '../../src/index.js';

const [vocabularySize, maxLength, size, layers, heads] = [23, 64, 16, 2, 4];

/** Small models of random weights that are large enough for peaked, varied answers. */
export function toy(
  kind: 'gpt2' | 'llama' | 'seq2seq',
  options: { vocabularySize?: number; maxLength?: number } = {},
): generate.LanguageModel {
  seed(7);
  const common = { vocabularySize, maxLength, size, heads, ...options };
  const model =
    kind === 'gpt2'
      ? new models.Gpt2({ ...common, layers })
      : kind === 'llama'
        ? new models.Llama({ ...common, layers, kvHeads: 2, hiddenSize: 32 })
        : new models.Seq2SeqTransformer({ ...common, encoderLayers: 2, decoderLayers: 2, startToken: 1 });
  for (const [path, parameter] of model.parameters()) {
    if (parameter.shape.length < 2) continue;
    parameter.assign(parameter.mul(path.includes('tokens') || path.includes('head') ? 30 : 2) as never);
  }
  return model;
}

/** Logits of the token behind these ids, by the plain forward pass. */
export async function logitsByHand(model: generate.LanguageModel, ids: readonly number[]): Promise<number[]> {
  const logits = model.inMode(false, () => model.forward(tensor([[...ids]], 'int32')));
  return ((await logits.toArray()) as number[][][])[0]!.at(-1)!;
}

export async function argmaxByHand(model: generate.LanguageModel, prompt: readonly number[], count: number): Promise<number[]> {
  const ids = [...prompt];
  for (let i = 0; i < count; i++) {
    const logits = await logitsByHand(model, ids);
    ids.push(logits.indexOf(Math.max(...logits)));
  }
  return ids.slice(prompt.length);
}
