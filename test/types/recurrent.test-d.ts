// Shapes of recurrent layers, at compile time.
import { nn, type Tensor, zeros } from 'pollux';

type Eq<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function is<A, B>(_: Eq<A, B>) {}
type T<S extends readonly number[]> = Tensor<S, 'float32'>;

const lstm = new nn.LSTM(8, 32);
const result = lstm.forward(zeros([4, 10, 8]));
is<typeof result.output, T<readonly [4, 10, 32]>>(true);
is<typeof result.last, T<readonly [4, 32]>>(true);
is<typeof result.state.c, T<readonly [number, 4, 32]>>(true);
lstm.forward(zeros([4, 10, 8]), { state: result.state, lengths: zeros([4], 'int32') });
// @ts-expect-error features
lstm.forward(zeros([4, 10, 7]));
// @ts-expect-error a state of another batch
lstm.forward(zeros([5, 10, 8]), { state: result.state });
// @ts-expect-error lengths are integers
lstm.forward(zeros([4, 10, 8]), { lengths: zeros([4]) });

const both = new nn.GRU(8, 16, { bidirectional: true }).forward(zeros([4, 10, 8]));
is<typeof both.output, T<readonly [4, 10, number]>>(true);

const cell = new nn.LSTMCell(8, 32);
const state = cell.forward(zeros([4, 8]), cell.forward(zeros([4, 8])));
is<typeof state.h, T<readonly [4, 32]>>(true);

const classifier = new nn.Sequential(new nn.Outputs(new nn.LSTM(8, 32)), new nn.LastState(new nn.GRU(32, 16)), new nn.Linear(16, 3));
const logits = classifier.forward(zeros([4, 10, 8]));
is<typeof logits, T<readonly [4, 3]>>(true);
// @ts-expect-error 32 features meet 31
new nn.Sequential(new nn.LastState(new nn.LSTM(8, 32)), new nn.Linear(31, 3));
