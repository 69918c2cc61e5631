"""The named random streams of `crates/streams`, written a second time."""

import hashlib
import math

import numpy as np

LAYERS = 256
TAIL = 3.654152885361009
AREA = 0.004928673233974655
BLOCKS = 256


def density(x):
    return math.exp(-0.5 * x * x)


EDGES = [AREA / density(TAIL), TAIL]
while len(EDGES) < LAYERS:
    EDGES.append(math.sqrt(-2.0 * math.log(AREA / EDGES[-1] + density(EDGES[-1]))))
EDGES.append(0.0)


class Stream:
    """ChaCha8 keyed by the SHA-256 of a run's seed and a purpose."""

    def __init__(self, seed, purpose):
        text = b"reprise stream v1\0" + seed.to_bytes(8, "little") + purpose.encode()
        self.key = np.frombuffer(hashlib.sha256(text).digest(), dtype="<u4")
        self.counter = 0
        self.drawn = []

    def fill(self):
        """The next blocks, as 64-bit numbers in `drawn`, the next one last."""
        start = np.zeros((16, BLOCKS), dtype=np.uint32)
        start[:4] = np.frombuffer(b"expand 32-byte k", dtype="<u4")[:, None]
        start[4:12] = self.key[:, None]
        start[12] = np.arange(self.counter, self.counter + BLOCKS)
        self.counter += BLOCKS
        x = start.copy()

        def quarter(a, b, c, d):
            for one, other, turned, by in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
                x[one] += x[other]
                x[turned] ^= x[one]
                x[turned] = (x[turned] << np.uint32(by)) | (x[turned] >> np.uint32(32 - by))

        for _ in range(4):
            for column in range(4):
                quarter(column, 4 + column, 8 + column, 12 + column)
            for i in range(4):
                quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
        words = np.ascontiguousarray((x + start).T).astype("<u4")
        self.drawn = words.view("<u8").ravel()[::-1].tolist()

    def bits(self):
        if not self.drawn:
            self.fill()
        return self.drawn.pop()

    def uniform(self, low=0.0, high=1.0):
        return low + (high - low) * ((self.bits() >> 11) / 2**53)

    def index(self, n):
        """Lemire 2019."""
        product = self.bits() * n
        while product % 2**64 < 2**64 % n:
            product = self.bits() * n
        return product >> 64

    def normal(self):
        """The ziggurat of Marsaglia and Tsang 2000, with Doornik's separate draws."""
        while True:
            bits = self.bits()
            layer, u = bits % LAYERS, 2.0 * ((bits >> 11) / 2**53) - 1.0
            x = u * EDGES[layer]
            if abs(x) < EDGES[layer + 1]:
                return x
            if layer == 0:
                return math.copysign(self.tail(), u)
            low, high = density(EDGES[layer]), density(EDGES[layer + 1])
            if low + (high - low) * self.uniform() < density(x):
                return x

    def tail(self):
        while True:
            x = math.log(1.0 - self.uniform()) / TAIL
            y = math.log(1.0 - self.uniform())
            if -2.0 * y >= x * x:
                return TAIL - x
