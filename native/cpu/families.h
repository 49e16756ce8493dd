// Every family of kernels: a line here for each table that a file in kernels/ exports.
#pragma once

#define POLLUX_FAMILIES(X) \
  X(copy)
