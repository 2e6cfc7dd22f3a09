"""The first numbers of xoshiro256** seeded through SplitMix64, by a separate implementation, printed for
SeededGeneratorTests.swift. Source: the public-domain C programs of Blackman and Vigna, prng.di.unimi.it."""

MASK = (1 << 64) - 1


def splitmix(seed):
    while True:
        seed = (seed + 0x9E3779B97F4A7C15) & MASK
        z = seed
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        yield z ^ (z >> 31)


def rotate(x, k):
    return ((x << k) | (x >> (64 - k))) & MASK


def xoshiro(seed):
    words = splitmix(seed)
    s = [next(words) for _ in range(4)]
    while True:
        yield rotate((s[1] * 5) & MASK, 7) * 9 & MASK
        t = (s[1] << 17) & MASK
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = rotate(s[3], 45)


for seed in (0, 1, MASK):
    numbers = xoshiro(seed)
    print(f"  seed {seed}:", ", ".join(f"0x{next(numbers):016X}" for _ in range(4)))
