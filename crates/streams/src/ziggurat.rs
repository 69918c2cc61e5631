//! The normal distribution by the ziggurat method (Marsaglia and Tsang 2000), with 256 layers and Doornik's (2005)
//! separate draws for layer and position. The tables are computed with `libm`, so they are the same everywhere.

use crate::Stream;
use std::sync::LazyLock;

const LAYERS: usize = 256;
/// Where the tail begins, and the area of each layer, for 256 layers.
const TAIL: f64 = 3.654_152_885_361_009;
const AREA: f64 = 0.004_928_673_233_974_655;

struct Tables {
    /// Right edge of each layer; layer 0 is the base with the tail folded in.
    x: [f64; LAYERS + 1],
    /// The density (unnormalised) at each edge.
    density: [f64; LAYERS + 1],
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    let f = |x: f64| libm::exp(-0.5 * x * x);
    let mut x = [0.0; LAYERS + 1];
    x[0] = AREA / f(TAIL);
    x[1] = TAIL;
    for i in 2..LAYERS {
        x[i] = libm::sqrt(-2.0 * libm::log(AREA / x[i - 1] + f(x[i - 1])));
    }
    let density = x.map(f);
    Tables { x, density }
});

pub(crate) fn normal(stream: &mut Stream) -> f64 {
    let tables = &*TABLES;
    loop {
        let bits = stream.next_u64();
        let layer = (bits & 0xff) as usize;
        // 53 bits on [-1, 1), apart from the eight that chose the layer.
        let u = 2.0 * ((bits >> 11) as f64 / (1u64 << 53) as f64) - 1.0;
        let x = u * tables.x[layer];
        if x.abs() < tables.x[layer + 1] {
            return x;
        }
        if layer == 0 {
            return tail(stream).copysign(u);
        }
        let (low, high) = (tables.density[layer], tables.density[layer + 1]);
        if low + (high - low) * stream.uniform() < libm::exp(-0.5 * x * x) {
            return x;
        }
    }
}

/// A draw beyond [`TAIL`] (Marsaglia 1964).
fn tail(stream: &mut Stream) -> f64 {
    loop {
        let x = libm::log(1.0 - stream.uniform()) / TAIL;
        let y = libm::log(1.0 - stream.uniform());
        if -2.0 * y >= x * x {
            return TAIL - x;
        }
    }
}
