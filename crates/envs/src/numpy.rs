//! Sums to the last bit as NumPy has them.
//!
//! `numpy.sum` adds a contiguous array pairwise (`loops_utils.h.src`, NumPy 2): fewer than 8 elements in order; up to
//! 128 in eight accumulators, which are then added as a tree, and what is left over in order; more by halves. It does so
//! in the array's own type, and `python_float * numpy.float32` stays single precision (NEP 50), as in NumPy 2 (1.x
//! went to double).

use crate::Action;
use std::ops::{Add, Mul};

/// `numpy.sum` over `term(0), …, term(n - 1)`.
pub(crate) fn sum<T: Copy + Default + Add<Output = T>>(n: usize, term: impl Fn(usize) -> T) -> T {
    pairwise(0, n, &term)
}

fn pairwise<T: Copy + Default + Add<Output = T>>(start: usize, n: usize, term: &impl Fn(usize) -> T) -> T {
    let in_order = |sum: T, range: std::ops::Range<usize>| range.fold(sum, |sum, i| sum + term(start + i));
    if n < 8 {
        return in_order(T::default(), 0..n);
    }
    if n > 128 {
        let half = n / 2 - (n / 2) % 8;
        return pairwise(start, half, term) + pairwise(start + half, n - half, term);
    }
    let mut r: [T; 8] = std::array::from_fn(|i| term(start + i));
    let whole = n - n % 8;
    for block in (8..whole).step_by(8) {
        for (i, r) in r.iter_mut().enumerate() {
            *r = *r + term(start + block + i);
        }
    }
    let tree = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
    in_order(tree, whole..n)
}

/// `numpy.sum(numpy.square(x))`.
pub(crate) fn sum_of_squares<T>(x: &[T]) -> T
where
    T: Copy + Default + Add<Output = T> + Mul<Output = T>,
{
    sum(x.len(), |i| x[i] * x[i])
}

/// `weight * numpy.sum(numpy.square(action))`, in the action's own precision.
pub(crate) fn control_cost(weight: f64, action: Action<'_>) -> f64 {
    match action {
        Action::F32(action) => f64::from(weight as f32 * sum_of_squares(action)),
        Action::F64(action) => weight * sum_of_squares(action),
    }
}

/// `a.dot(b)` of a few numbers each, as OpenBLAS rounds it on processors with fused multiply-adds, which is where the
/// golden files are from.
pub(crate) fn dot<const N: usize>(a: [f64; N], b: [f64; N]) -> f64 {
    (1..N).fold(a[0] * b[0], |sum, i| a[i].mul_add(b[i], sum))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// x[i] = 1 / (i + 1), and 0.1 * sum(square(x)) with numpy 2.3.5 in each precision, as bits.
    #[test]
    fn sums_are_numpys() {
        let check = |n: usize, double: u64, single: u64| {
            let x: Vec<f64> = (1..=n).map(|i| 1.0 / i as f64).collect();
            let x32: Vec<f32> = x.iter().map(|&x| x as f32).collect();
            assert_eq!(control_cost(0.1, Action::F64(&x)).to_bits(), double, "{n} doubles");
            assert_eq!(control_cost(0.1, Action::F32(&x32)).to_bits(), single, "{n} singles");
        };
        check(1, 0x3fb999999999999a, 0x3fb99999a0000000);
        check(3, 0x3fc16c16c16c16c2, 0x3fc16c16e0000000);
        check(7, 0x3fc359db48dc0d06, 0x3fc359db60000000);
        check(8, 0x3fc38d0e7c0f4039, 0x3fc38d0e80000000);
        check(17, 0x3fc452ecd542b055, 0x3fc452ece0000000);
        check(84, 0x3fc4e75779f39fa4, 0x3fc4e757a0000000);
        check(128, 0x3fc4f49ea3fe360e, 0x3fc4f49ec0000000);
        check(129, 0x3fc4f4d10cc4ac4d, 0x3fc4f4d100000000);
        check(1000, 0x3fc50ad8440876ba, 0x3fc50ad860000000);
    }
}
