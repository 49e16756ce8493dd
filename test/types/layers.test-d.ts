// Layers along sequences, of ids and of attention: what their types promise.
import { ArrayDataset, DataLoader, losses, nn, optim, scan, SequenceDataset, type Tensor, Trainer, zeros } from 'pollux';

type Eq<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function is<A, B>(_: Eq<A, B>) {}
type T<S extends readonly number[]> = Tensor<S, 'float32'>;

// Embeddings: integers in, one axis more out.
const embedding = new nn.Embedding(100, 16);
const vectors = embedding.forward(zeros([4, 10], 'int32'));
is<typeof vectors, T<readonly [4, 10, 16]>>(true);
// @ts-expect-error ids are integers
embedding.forward(zeros([4, 10]));
// @ts-expect-error padding is an index
new nn.Embedding(100, 16, { paddingIndex: 'first' });
const reader = new nn.Sequential(new nn.LastState(new nn.LSTM(16, 32)), new nn.Linear(32, 2));
is<ReturnType<typeof reader.forward<readonly [4, 10, 16], 'float32'>>, T<readonly [4, 2]>>(true);
reader.forward(vectors);
// @ts-expect-error 16 features meet a layer of 8
new nn.LSTM(8, 32).forward(vectors);
// @ts-expect-error ids into a layer of features
reader.forward(zeros([4, 10], 'int32'));

// Convolutions along sequences.
const conv = new nn.Conv1d(16, 8, 3, { padding: 'causal' });
const filtered = conv.forward(vectors);
is<typeof filtered, T<readonly [4, number, 8]>>(true);
// @ts-expect-error channels come last
conv.forward(zeros([4, 16, 10]));
// @ts-expect-error no causal padding of images
new nn.Conv2d(1, 1, 3, { padding: 'causal' });
// @ts-expect-error one number is the window of a sequence
new nn.Conv1d(16, 8, [3, 3]);
// @ts-expect-error 8 channels meet 9
new nn.Sequential(new nn.Conv1d(16, 8, 3), nn.relu, new nn.ConvTranspose1d(9, 4, 3));

// Attention keeps the shape of its queries.
const attention = new nn.MultiHeadAttention(16, 4, { dropout: 0.1, causal: true });
const attended = attention.forward(vectors, undefined, undefined, { keyPaddingMask: zeros([4, 10], 'bool') });
is<typeof attended, T<readonly [4, 10, 16]>>(true);
// @ts-expect-error a padding mask is of bool
attention.forward(vectors, undefined, undefined, { keyPaddingMask: zeros([4, 10]) });
// @ts-expect-error an unknown option
new nn.MultiHeadAttention(16, 4, { kvHead: 2 });
// @ts-expect-error an unknown norm
new nn.TransformerEncoder(2, 16, 4, { norm: 'batchNorm' });
// @ts-expect-error an unknown activation
new nn.FeedForward(16, 32, { activation: 'swish' });
// @ts-expect-error a decoder says what it attends to, if only undefined
new nn.TransformerDecoder(2, 16, 4).forward(vectors);
// @ts-expect-error caches are a list, one for each layer
new nn.TransformerEncoder(2, 16, 4).forward(vectors, { caches: new nn.KeyValueCache(1, 8, 4, 4) });

// A loop hands its state on as it got it.
const [last] = scan((h: T<readonly [4, 8]>, x: T<readonly [4, 8]>) => [h.add(x), x], zeros([4, 8]), zeros([10, 4, 8]));
is<typeof last, T<readonly [4, 8]>>(true);
// @ts-expect-error the body gives no pair
scan((h: Tensor, x: Tensor) => h.add(x), zeros([4, 8]), zeros([10, 4, 8]));

// A trainer of sequences: its fields are those of the data.
class Tagger extends nn.Module {
  embedding = embedding;
  out = new nn.Linear(16, 2);
  forward(ids: Tensor<readonly [number, number], 'int32'>, lengths: Tensor): Tensor {
    return this.out.forward(
      this.embedding
        .forward(ids)
        .mul(lengths.reshape([-1, 1, 1]).cast('float32'))
        .mean(1),
    );
  }
}
const tagger = new Trainer(new Tagger(), { loss: losses.crossEntropy, optimizer: optim.adam(), inputs: ['ids', 'lengths'], target: 'y' });
const sentences = new SequenceDataset({ ids: [[1, 2, 3], [4]], y: [0, 1] });
tagger.fit(new DataLoader(sentences, { lengths: { group: true } }), { epochs: 1 });
// @ts-expect-error how samples are grouped is the loader's option
tagger.fit(sentences, { epochs: 1, lengths: { group: true } });
// @ts-expect-error no lengths in the data
tagger.fit(new ArrayDataset({ ids: { data: new Int32Array(4), shape: [2, 2] }, y: { data: new Int32Array(2), shape: [2] } }), {
  epochs: 1,
});
// @ts-expect-error inputs are names
new Trainer(new Tagger(), { loss: losses.crossEntropy, optimizer: optim.adam(), inputs: [0] });
// @ts-expect-error a figure is a tensor
new Trainer(new Tagger(), { optimizer: optim.adam(), step: (m) => ({ loss: m.out.weight.sum(), figures: { size: 3 } }) });

export { last };
