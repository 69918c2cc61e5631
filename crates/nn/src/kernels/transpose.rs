//! Transposing a matrix.

/// Writes `to[i · to_row + j] = from[j · from_row + i]` for `i` below `rows` and `j` below `columns`.
pub(super) fn transpose(
    from: &[f32],
    from_row: usize,
    to: &mut [f32],
    to_row: usize,
    (rows, columns): (usize, usize),
) {
    if rows == 0 || columns == 0 {
        return;
    }
    assert!(rows <= from_row && (columns - 1) * from_row + rows <= from.len());
    assert!(columns <= to_row && (rows - 1) * to_row + columns <= to.len());
    let whole = blocks(from, from_row, to, to_row, (rows, columns));
    for i in 0..rows {
        for j in if i < whole.0 { whole.1 } else { 0 }..columns {
            to[i * to_row + j] = from[j * from_row + i];
        }
    }
}

/// Transposes what whole blocks of 8 × 8 cover, where the processor has the instructions; returns the rows and columns
/// of `to` that are done.
fn blocks(
    from: &[f32],
    from_row: usize,
    to: &mut [f32],
    to_row: usize,
    (rows, columns): (usize, usize),
) -> (usize, usize) {
    #[cfg(target_arch = "x86_64")]
    if super::lanes::Level::current() != super::lanes::Level::Portable {
        let whole = (rows / 8 * 8, columns / 8 * 8);
        // SAFETY: the levels above the portable one have AVX2; every index below `whole` lies within both slices, as
        // the caller has asserted.
        unsafe { avx2::blocks(from.as_ptr(), from_row, to.as_mut_ptr(), to_row, whole) };
        return whole;
    }
    let _ = (from, from_row, to, to_row, rows, columns);
    (0, 0)
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::*;

    /// Two blocks at a time, so that whole lines of `from` are read, whose stride may be such that they do not last.
    #[target_feature(enable = "avx2")]
    pub(super) unsafe fn blocks(
        from: *const f32,
        from_row: usize,
        to: *mut f32,
        to_row: usize,
        (rows, columns): (usize, usize),
    ) {
        for pair in (0..rows).step_by(16) {
            for column in (0..columns).step_by(8) {
                unsafe {
                    let (from, to) = (from.add(column * from_row + pair), to.add(pair * to_row + column));
                    block(from, from_row, to, to_row);
                    if pair + 8 < rows {
                        block(from.add(8), from_row, to.add(8 * to_row), to_row);
                    }
                }
            }
        }
    }

    /// Pairs of rows interleaved, then pairs of pairs, then halves.
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn block(from: *const f32, from_row: usize, to: *mut f32, to_row: usize) {
        unsafe {
            let pairs = |i: usize| {
                let a = _mm256_loadu_ps(from.add(i * from_row));
                let b = _mm256_loadu_ps(from.add((i + 1) * from_row));
                (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b))
            };
            let fours = |i: usize| {
                let ((a, b), (c, d)) = (pairs(i), pairs(i + 2));
                let low = (_mm256_shuffle_ps::<0x44>(a, c), _mm256_shuffle_ps::<0xEE>(a, c));
                let high = (_mm256_shuffle_ps::<0x44>(b, d), _mm256_shuffle_ps::<0xEE>(b, d));
                (low.0, low.1, high.0, high.1)
            };
            let (upper, lower) = (fours(0), fours(4));
            let store = |i: usize, a: __m256, b: __m256| {
                _mm256_storeu_ps(to.add(i * to_row), _mm256_permute2f128_ps::<0x20>(a, b));
                _mm256_storeu_ps(to.add((i + 4) * to_row), _mm256_permute2f128_ps::<0x31>(a, b));
            };
            store(0, upper.0, lower.0);
            store(1, upper.1, lower.1);
            store(2, upper.2, lower.2);
            store(3, upper.3, lower.3);
        }
    }
}
