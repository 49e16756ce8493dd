// Every family of kernels: a line here for each table that a file in kernels/ exports.
#pragma once

#define POLLUX_FAMILIES(X) \
  X(copy)                  \
  X(elementwise)           \
  X(reduce)                \
  X(reduce_index)          \
  X(gather)                \
  X(scatter)               \
  X(window)                \
  X(source)                \
  X(random)                \
  X(matmul)                \
  X(attention)             \
  X(attention_grad)        \
  X(attention_rotary)      \
  X(attention_cache)       \
  X(lstm)                  \
  X(gru)                   \
  X(rnn)                   \
  X(pool_max)              \
  X(pool_average)          \
  X(softmax)               \
  X(crossentropy)          \
  X(ctc)                   \
  X(batchnorm)             \
  X(layernorm)             \
  X(special)               \
  X(fft)                   \
  X(groupnorm)             \
  X(optimizer)             \
  X(finite)                \
  X(conv_weight)           \
  X(conv_pool)             \
  X(interpolate)           \
  X(fold)                  \
  X(cumulative)            \
  X(sort)                  \
  X(search)                \
  X(scatter_reduce)        \
  X(conv)
