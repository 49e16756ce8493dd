# The native code: the addon, the CPU twin, and the asynchronous test twin. node-gyp reads this file; a new kernel file
# needs no edit here. One static library for each instruction-set level: the linker must never merge their code.
{
  'variables': {
    'cpu_kernels': ["<!@(node -p \"require('fs').readdirSync('native/cpu/kernels').filter(f => f.endsWith('.cpp')).map(f => 'native/cpu/kernels/' + f).join(' ')\")"],
    'cpu_sources': ["<!@(node -p \"require('fs').readdirSync('native/cpu').filter(f => f.endsWith('.cpp')).map(f => 'native/cpu/' + f).join(' ')\")"],
    'runtime_sources': ["<!@(node -p \"require('fs').readdirSync('native/runtime').filter(f => f.endsWith('.cpp')).map(f => 'native/runtime/' + f).join(' ')\")"],
    # Contraction is off so that a fused program has the bits of the unfused ops; kernels say fma where they mean it.
    # clang does not know 'GCC ivdep' and checks at run time instead what the pragma promises.
    'kernel_flags': ['-std=c++20', '-O3', '-fPIC', '-fno-exceptions', '-fno-rtti', '-ffp-contract=off', '-fvisibility=hidden',
                     '-fno-trapping-math', '-fno-math-errno', '-fno-threadsafe-statics', '-Wno-unknown-pragmas'],
    'common_flags': ['-std=c++20', '-O2', '-fPIC', '-fvisibility=hidden', '-fvisibility-inlines-hidden', '-Wall', '-Wextra'],
    'foreign_flags': ['-std=gnu++17', '-std=gnu++20', '-std=c++17'],  # of Node's own common.gypi
    'no_exceptions': ['-fno-exceptions', '-fno-rtti'],
  },
  'target_defaults': {
    'default_configuration': 'Release',
    'cflags!': ['-fno-omit-frame-pointer'],
  },
  'targets': [
    {
      'target_name': 'pollux',
      'sources': [
        'native/addon/module.cpp', 'native/addon/environment.cpp', 'native/addon/devices.cpp', 'native/addon/plans.cpp',
        'native/addon/files.cpp', '<@(runtime_sources)',
      ],
      'include_dirs': ["<!(node -p \"require('node-addon-api').include_dir\")"],
      'defines': ['NAPI_VERSION=9', 'NODE_ADDON_API_DISABLE_CPP_EXCEPTIONS', 'NODE_ADDON_API_DISABLE_DEPRECATED',
                  # A worker that is terminated while a step runs can be told nothing any more: not a reason to abort the process.
                  'NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS'],
      'cflags_cc!': ['<@(foreign_flags)', '<@(no_exceptions)'],
      'cflags_cc': ['<@(common_flags)'],
      'ldflags': ['-Wl,--exclude-libs,ALL'],
      'libraries': ['-ldl'],
    },
    {
      'target_name': 'pollux_cpu_scalar',
      'type': 'static_library',
      'sources': ['<@(cpu_kernels)'],
      'defines': ['POLLUX_LEVEL=scalar'],
      'cflags_cc!': ['<@(foreign_flags)'],
      'cflags_cc': ['<@(kernel_flags)'],
    },
    {
      'target_name': 'pollux_cpu_avx2',
      'type': 'static_library',
      'sources': ['<@(cpu_kernels)'],
      'defines': ['POLLUX_LEVEL=avx2'],
      'cflags_cc!': ['<@(foreign_flags)'],
      'cflags_cc': ['<@(kernel_flags)', '-mavx2', '-mfma', '-mf16c', '-mbmi2'],
    },
    {
      'target_name': 'pollux_cpu_avx512',
      'type': 'static_library',
      'sources': ['<@(cpu_kernels)'],
      'defines': ['POLLUX_LEVEL=avx512'],
      'cflags_cc!': ['<@(foreign_flags)'],
      'cflags_cc': ['<@(kernel_flags)', '-mavx512f', '-mavx512bw', '-mavx512vl', '-mavx512dq', '-mavx2', '-mfma', '-mf16c', '-mbmi2',
                    '-mprefer-vector-width=512'],
    },
    {
      'target_name': 'pollux_cpu',
      'type': 'shared_library',
      'product_prefix': 'lib',
      'sources': ['<@(cpu_sources)'],
      'dependencies': ['pollux_cpu_scalar', 'pollux_cpu_avx2', 'pollux_cpu_avx512'],
      'cflags_cc!': ['<@(foreign_flags)', '<@(no_exceptions)'],
      'cflags_cc': ['<@(common_flags)', '-ffp-contract=off'],
      'ldflags': ['-Wl,--exclude-libs,ALL', '-Wl,-soname,libpollux_cpu.so'],
    },
    {
      'target_name': 'pollux_async',
      'type': 'shared_library',
      'product_prefix': 'lib',
      'sources': ['native/testing/async_backend.cpp'],
      'cflags_cc!': ['<@(foreign_flags)', '<@(no_exceptions)'],
      'cflags_cc': ['<@(common_flags)'],
      'ldflags': ['-Wl,--exclude-libs,ALL', '-Wl,-soname,libpollux_async.so'],
      'libraries': ['-ldl'],
    },
  ],
}
