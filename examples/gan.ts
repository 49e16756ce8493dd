// Two networks and two optimizers in one compiled step: a generator learns a normal distribution from its critic
// (Goodfellow et al. 2014). Argument: number of steps.
import { compile, losses, nn, normal, ones, optim, seed, zeros } from 'pollux';

const [steps = 2000] = process.argv.slice(2).map(Number);
seed(1);
const batch = 64;
const generator = new nn.Sequential(new nn.Linear(8, 32), nn.relu, new nn.Linear(32, 2));
const critic = new nn.Sequential(new nn.Linear(2, 32), nn.leakyRelu(0.2), new nn.Linear(32, 1));
const adam = optim.adam({ learningRate: 1e-3, betas: [0.5, 0.999] });
const forGenerator = adam.for(generator);
const forCritic = adam.for(critic);

const step = compile({ state: [generator, critic, forGenerator, forCritic] }, () => {
  const bce = losses.binaryCrossEntropyWithLogits;
  const real = normal([batch, 2]).mul(0.5).add(2);
  const fake = generator.forward(normal([batch, 8]));

  const truths = bce(critic.forward(real), ones([batch, 1]));
  const criticLoss = truths.add(bce(critic.forward(fake.detach()), zeros([batch, 1])));
  forCritic.minimize(criticLoss);

  const generatorLoss = bce(critic.forward(fake), ones([batch, 1])); // the critic that has just learnt
  forGenerator.minimize(generatorLoss);
  return { criticLoss, generatorLoss, mean: fake.mean() };
});
for (let i = 1; i <= steps; i++) {
  const { criticLoss, generatorLoss, mean } = await step();
  if (i % 250 === 0) console.log(`${i}: critic ${criticLoss.item()}, generator ${generatorLoss.item()}, mean ${mean.item()} of 2`);
}
