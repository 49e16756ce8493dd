// Reviews, good or bad: words, their embedding, a recurrent layer in both directions. Arguments: epochs, number of reviews.
import { DataLoader, datasets, losses, nn, optim, seed, SequenceDataset, type Tensor, text, Trainer } from 'pollux';

const [epochs = 5, count = 3000] = process.argv.slice(2).map(Number);
seed(1);
const reviews = (await datasets.sentiment()).slice(0, count);
const tokenizer = await text.trainWords(
  reviews.map((review) => review.text),
  { vocabularySize: 4000 },
);
const sequences = new SequenceDataset(
  {
    ids: reviews.map((review) => tokenizer.encode(review.text).ids),
    label: reviews.map((review) => review.label),
  },
  { maxLength: 64 },
);
const [train, validation] = sequences.split(0.8, { seed: 1 });

class Classifier extends nn.Module {
  embedding = new nn.Embedding(tokenizer.vocabularySize, 32);
  gru = new nn.GRU(32, 32, { bidirectional: true });
  out = new nn.Linear(64, 2);
  forward(ids: Tensor, lengths: Tensor) {
    const { last } = this.gru.forward(this.embedding.forward(ids), { lengths });
    return this.out.forward(last);
  }
}

const trainer = new Trainer(new Classifier(), {
  loss: losses.crossEntropy,
  optimizer: optim.adam({ learningRate: 3e-3 }),
  inputs: ['ids', 'lengths'],
  target: 'label',
  metrics: ['accuracy', 'f1'],
});
const lengths = { group: true, buckets: [8, 16, 32, 64] }; // few lengths of batches: few plans
const run = trainer.fit(new DataLoader(train, { batchSize: 32, shuffle: true, lengths }), { epochs, validation });
for await (const event of run) if (event.type === 'epoch') console.log(event.epoch, event.figures.loss, event.validation);
