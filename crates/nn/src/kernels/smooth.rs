//! Smooth functions over slices, in operations that round alike everywhere: no system library, no instruction set
//! decides a bit.

use super::elementwise::wide;

/// The natural logarithm of 2, cut in two so that a small whole multiple of the first part is exact.
const LN_2: (f32, f32) = (0.693_359_4, -2.121_944_4e-4);

/// eˣ for x within ±87, and its value there beyond: Taylor's polynomial on ±ln 2 / 2, then the power of two.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    /// Added to a small number, it leaves the nearest whole one in the last bits.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 87.0);
    let shifted = x.mul_add(std::f32::consts::LOG2_E, ROUND);
    let whole = shifted - ROUND;
    let r = whole.mul_add(-LN_2.1, whole.mul_add(-LN_2.0, x));
    let mut y = 1.0 / 5040.0;
    y = r.mul_add(y, 1.0 / 720.0);
    y = r.mul_add(y, 1.0 / 120.0);
    y = r.mul_add(y, 1.0 / 24.0);
    y = r.mul_add(y, 1.0 / 6.0);
    y = r.mul_add(y, 0.5);
    y = r.mul_add(y, 1.0);
    y = r.mul_add(y, 1.0);
    y * f32::from_bits((shifted.to_bits() << 23).wrapping_add(1.0f32.to_bits()))
}

/// tanh x: by eˣ, and near 0, where that would cancel, by the odd polynomial of Cephes' `tanhf` (S. Moshier).
#[inline(always)]
pub(super) fn tanh_of(x: f32) -> f32 {
    let size = x.abs();
    let far = 1.0 - 2.0 / (exp(2.0 * size) + 1.0);
    let square = x * x;
    let mut near = -5.704_988_7e-3;
    near = square.mul_add(near, 2.063_909e-2);
    near = square.mul_add(near, -5.373_971_6e-2);
    near = square.mul_add(near, 1.333_144_2e-1);
    near = square.mul_add(near, -3.333_328e-1);
    let near = (square * x).mul_add(near, x);
    if size < 0.625 { near } else { far.copysign(x) }
}

/// 2 artanh s for |s| up to a third: ln of (1 + s) / (1 − s).
#[inline(always)]
fn twice_artanh(s: f32) -> f32 {
    let square = s * s;
    let mut series = 1.0 / 13.0;
    for coefficient in [1.0 / 11.0, 1.0 / 9.0, 1.0 / 7.0, 1.0 / 5.0, 1.0 / 3.0, 1.0] {
        series = square.mul_add(series, coefficient);
    }
    2.0 * s * series
}

/// ln(1 − tanh² x), without the cancellation: 2 (ln 2 − |x| − ln(1 + e^(−2|x|))).
#[inline(always)]
pub(super) fn ln_slope_of_tanh(x: f32) -> f32 {
    let z = exp(-2.0 * x.abs());
    2.0 * (std::f32::consts::LN_2 - x.abs() - twice_artanh(z / (2.0 + z)))
}

/// ln x for a normal number above 0.
#[inline(always)]
pub(super) fn ln(x: f32) -> f32 {
    /// The bits of ¾: the mantissa is taken between ¾ and 1½.
    const LOWEST: u32 = 0x3f40_0000;
    let shifted = x.to_bits().wrapping_sub(LOWEST);
    let exponent = (shifted as i32 >> 23) as f32;
    let mantissa = f32::from_bits((shifted & 0x007f_ffff).wrapping_add(LOWEST));
    let rest = twice_artanh((mantissa - 1.0) / (mantissa + 1.0));
    exponent.mul_add(LN_2.0, exponent.mul_add(LN_2.1, rest))
}

/// ln(1 + eˣ).
#[inline(always)]
pub(super) fn softplus(x: f32) -> f32 {
    let z = exp(-x.abs());
    x.max(0.0) + twice_artanh(z / (2.0 + z))
}

/// 1 / (1 + e⁻ˣ).
#[inline(always)]
pub(super) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

wide! {
    /// x ← tanh x.
    fn tanh(values: &mut [f32]) {
        for x in values {
            *x = tanh_of(*x);
        }
    }
}

/// A unit x · σ(linear · x + cubic · x³), which is swish or, to its usual approximation, GELU.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Gated {
    linear: f32,
    cubic: f32,
}

/// x · σ(x) (Ramachandran, Zoph and Le 2017; "SiLU").
pub(crate) const SWISH: Gated = Gated { linear: 1.0, cubic: 0.0 };

/// x · σ(2 √(2/π) (x + 0.044715 x³)), the approximation by tanh of Hendrycks and Gimpel 2016.
pub(crate) const GELU: Gated = Gated { linear: 1.595_769, cubic: 0.071_354_814 };

impl Gated {
    /// The value at x, and the slope.
    #[inline(always)]
    fn at(self, x: f32) -> (f32, f32) {
        let square = x * x;
        let gate = 1.0 / (1.0 + exp(-x * square.mul_add(self.cubic, self.linear)));
        let y = x * gate;
        let inner = square.mul_add(3.0 * self.cubic, self.linear);
        (y, (y * inner).mul_add(1.0 - gate, gate))
    }
}

wide! {
    /// x ← the unit's value at x.
    fn gate(values: &mut [f32], unit: Gated) {
        for x in values {
            *x = unit.at(*x).0;
        }
    }
}

wide! {
    /// x ← the unit's value at x, and its slope there.
    fn gate_with_slope(values: &mut [f32], slopes: &mut [f32], unit: Gated) {
        for (x, slope) in values.iter_mut().zip(slopes) {
            (*x, *slope) = unit.at(*x);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers on both sides of 0, from tiny to beyond where the functions are flat.
    fn numbers() -> impl Iterator<Item = f32> {
        let sizes = (-400..=80).map(|i| libm::exp2f(i as f32 / 16.0));
        sizes.flat_map(|size| [size, -size]).chain([0.0, -0.0])
    }

    #[test]
    fn exp_tanh_and_its_slope_are_those_of_float64() {
        for x in numbers() {
            let (found, exact) = (f64::from(exp(x)), libm::exp(f64::from(x)));
            if x.abs() < 87.0 {
                assert!((found / exact - 1.0).abs() < 1.5e-7, "exp({x}) = {found} instead of {exact}");
            }
            let (found, exact) = (f64::from(tanh_of(x)), libm::tanh(f64::from(x)));
            assert!((found - exact).abs() <= 1.5e-7 * exact.abs(), "tanh({x}) = {found} instead of {exact}");
            let size = f64::from(x.abs());
            let exact = 2.0 * (std::f64::consts::LN_2 - size - libm::log1p(libm::exp(-2.0 * size)));
            let found = f64::from(ln_slope_of_tanh(x));
            assert!((found - exact).abs() <= 3e-7 * (1.0 + size), "at {x}: {found} instead of {exact}");
            let (found, exact) = (f64::from(ln(x.abs())), libm::log(size));
            if size > 0.0 {
                assert!(
                    (found - exact).abs() <= 2e-7 * exact.abs().max(0.1),
                    "ln {size} = {found}, not {exact}"
                );
            }
            let x = f64::from(x);
            let (found, exact) = (f64::from(softplus(x as f32)), x.max(0.0) + libm::log1p(libm::exp(-size)));
            assert!((found - exact).abs() <= 2e-7 * exact.max(1.0), "softplus {x} = {found}, not {exact}");
            let (found, exact) = (f64::from(sigmoid(x as f32)), 1.0 / (1.0 + libm::exp(-x)));
            assert!((found - exact).abs() <= 2e-7, "sigmoid {x} = {found}, not {exact}");
        }
        assert!(exp(f32::NAN).is_nan() && tanh_of(f32::NAN).is_nan());
        assert_eq!((tanh_of(f32::INFINITY), tanh_of(f32::NEG_INFINITY)), (1.0, -1.0));
    }

    #[test]
    fn gated_units_and_their_slopes_are_those_of_float64() {
        let swish = |x: f64| x / (1.0 + libm::exp(-x));
        let gelu = |x: f64| {
            let u = libm::sqrt(2.0 / std::f64::consts::PI) * (x + 0.044715 * x * x * x);
            0.5 * x * (1.0 + libm::tanh(u))
        };
        for (unit, exact) in [(SWISH, &swish as &dyn Fn(f64) -> f64), (GELU, &gelu)] {
            for x in numbers() {
                let (y, slope) = unit.at(x);
                let x = f64::from(x);
                assert!((f64::from(y) - exact(x)).abs() < 3e-7 * x.abs().max(1.0), "{unit:?} at {x}: {y}");
                let h = 1e-5 * x.abs().max(1e-3);
                let expected = (exact(x + h) - exact(x - h)) / (2.0 * h);
                assert!((f64::from(slope) - expected).abs() < 2e-6, "{unit:?}' at {x}: {slope}, {expected}");
            }
        }
    }

    #[test]
    fn the_wide_loop_gives_the_bits_of_the_plain_one() {
        let x: Vec<f32> = numbers().collect();
        let (mut tanhs, mut values) = (x.clone(), x.clone());
        let mut slopes = vec![0.0; x.len()];
        tanh(&mut tanhs);
        gate_with_slope(&mut values, &mut slopes, GELU);
        for (i, x) in x.into_iter().enumerate() {
            assert_eq!(tanhs[i].to_bits(), tanh_of(x).to_bits());
            assert_eq!((values[i].to_bits(), slopes[i].to_bits()), {
                let (y, slope) = GELU.at(x);
                (y.to_bits(), slope.to_bits())
            });
        }
    }
}
