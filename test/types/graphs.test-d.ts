// Shapes through containers and blocks, and names in graphs, at compile time.
import { nn, type Tensor, zeros } from 'pollux';

type Eq<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function is<A, B>(_: Eq<A, B>) {}
type T<S extends readonly number[]> = Tensor<S, 'float32'>;

const residual = new nn.Residual(new nn.Sequential(new nn.Linear(8, 16), nn.relu, new nn.Linear(16, 8)));
const y = residual.forward(zeros([4, 8]));
is<typeof y, T<readonly [4, 8]>>(true);
// @ts-expect-error features
residual.forward(zeros([4, 7]));

const images = new nn.Sequential(
  new nn.ResNetBasicBlock(8, 16, { stride: 2 }),
  new nn.InvertedResidual(16, 24),
  nn.globalAvgPool,
  new nn.Linear(24, 2),
);
const logits = images.forward(zeros([4, 16, 16, 8]));
is<typeof logits, T<readonly [4, 2]>>(true);
// @ts-expect-error 16 channels meet 8
new nn.Sequential(new nn.ResNetBasicBlock(8, 16), new nn.ResNetBasicBlock(8, 16));

const graph = new nn.Graph({
  inputs: ['image', 'text'],
  layers: { a: [new nn.Linear(3, 4), 'image'], b: [new nn.Linear(2, 4), 'text'], out: [nn.concat, 'a', 'b'] },
  output: 'out',
});
const one = graph.forward(zeros([1, 3]), zeros([1, 2]));
is<typeof one extends Tensor ? true : false, true>(true);
// @ts-expect-error no layer has this name
new nn.Graph({ inputs: ['x'], layers: { a: [nn.relu, 'y'] }, output: 'a' });
// @ts-expect-error nor does one give this output
new nn.Graph({ inputs: ['x'], layers: { a: [nn.relu, 'x'] }, output: 'b' });
const several = new nn.Graph({ inputs: ['x'], layers: { a: [nn.relu, 'x'], b: [nn.tanh, 'a'] }, output: ['a', 'b'] });
const { a, b } = several.forward(zeros([2]));
export const rank: number = a.rank + b.rank;
// @ts-expect-error not among the outputs
several.forward(zeros([2])).c;

const heads = new nn.ModuleDictionary({ left: new nn.Linear(3, 1), right: new nn.Conv1d(3, 1, 1) });
is<ReturnType<typeof heads.at<'right'>>, nn.Conv1d<3, 1>>(true);
// @ts-expect-error no module has this name
heads.at('middle');
is<ReturnType<typeof images.get<nn.Linear>>, nn.Linear>(true);
