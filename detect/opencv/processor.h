// The compiler makes one version for processors with AVX2 and one for all.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define EVERY_PROCESSOR __attribute__((target_clones("avx2", "default"), optimize("O3")))
#else
#define EVERY_PROCESSOR
#endif
