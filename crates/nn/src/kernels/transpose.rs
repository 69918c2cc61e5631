//! Transposing a matrix, in blocks of 8 × 8.

/// `to[rows, width]`, the transpose of `from[.., rows]`, with zeros where `from` ends.
pub(super) fn transpose(from: &[f32], rows: usize, to: &mut [f32], width: usize) {
    #[cfg(target_arch = "x86_64")]
    if super::lanes::Level::current() != super::lanes::Level::Portable {
        // SAFETY: the other levels have AVX2.
        return unsafe { avx2(from, rows, to, width) };
    }
    in_blocks(from, rows, to, width, |from, stride, to, width| {
        for i in 0..8 {
            for j in 0..8 {
                to[i * width + j] = from[j * stride + i];
            }
        }
    });
}

/// Calls `block(from, stride, to, width)` for each 8 × 8 block that is whole, and does the rest.
#[inline(always)]
fn in_blocks(
    from: &[f32],
    rows: usize,
    to: &mut [f32],
    width: usize,
    block: impl Fn(&[f32], usize, &mut [f32], usize),
) {
    let columns = from.len() / rows;
    // Rows of `to` are finished one after the other; `from` is read in half lines, the other half soon after.
    for row in (0..rows).step_by(8) {
        for column in (0..width).step_by(8) {
            if column + 8 <= columns && row + 8 <= rows {
                block(&from[column * rows + row..], rows, &mut to[row * width + column..], width);
                continue;
            }
            for i in row..rows.min(row + 8) {
                for j in column..column + 8 {
                    to[i * width + j] = if j < columns { from[j * rows + i] } else { 0.0 };
                }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2(from: &[f32], rows: usize, to: &mut [f32], width: usize) {
    use std::arch::x86_64::*;
    in_blocks(from, rows, to, width, |from, stride, to, width| {
        assert!(from.len() >= 7 * stride + 8 && to.len() >= 7 * width + 8);
        // SAFETY: the assertion holds every index, and the function has the instructions.
        unsafe {
            let row = |i: usize| _mm256_loadu_ps(from.as_ptr().add(i * stride));
            // Pairs of rows interleaved, then pairs of pairs, then the two halves.
            let pairs = |i: usize| {
                let (a, b) = (row(i), row(i + 1));
                (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b))
            };
            let fours = |i: usize| {
                let ((a, b), (c, d)) = (pairs(i), pairs(i + 2));
                [
                    _mm256_shuffle_ps::<0b01_00_01_00>(a, c),
                    _mm256_shuffle_ps::<0b11_10_11_10>(a, c),
                    _mm256_shuffle_ps::<0b01_00_01_00>(b, d),
                    _mm256_shuffle_ps::<0b11_10_11_10>(b, d),
                ]
            };
            let (upper, lower) = (fours(0), fours(4));
            for i in 0..4 {
                let (a, b) = (upper[i], lower[i]);
                _mm256_storeu_ps(to.as_mut_ptr().add(i * width), _mm256_permute2f128_ps::<0x20>(a, b));
                _mm256_storeu_ps(to.as_mut_ptr().add((i + 4) * width), _mm256_permute2f128_ps::<0x31>(a, b));
            }
        }
    });
}
