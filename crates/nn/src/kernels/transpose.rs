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

    /// Four columns of all eight rows at a time: row i and row i + 4 share a register from the start, so that nothing
    /// has to cross its halves.
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn block(from: *const f32, from_row: usize, to: *mut f32, to_row: usize) {
        for column in [0, 4] {
            unsafe {
                let row = |i: usize| {
                    let at = from.add(i * from_row + column);
                    let low = _mm256_castps128_ps256(_mm_loadu_ps(at));
                    _mm256_insertf128_ps::<1>(low, _mm_loadu_ps(at.add(4 * from_row)))
                };
                let (a, b, c, d) = (row(0), row(1), row(2), row(3));
                let (ab, cd) = (_mm256_unpacklo_ps(a, b), _mm256_unpacklo_ps(c, d));
                let (ab_high, cd_high) = (_mm256_unpackhi_ps(a, b), _mm256_unpackhi_ps(c, d));
                let store = |i: usize, x: __m256| _mm256_storeu_ps(to.add((column + i) * to_row), x);
                store(0, _mm256_shuffle_ps::<0x44>(ab, cd));
                store(1, _mm256_shuffle_ps::<0xEE>(ab, cd));
                store(2, _mm256_shuffle_ps::<0x44>(ab_high, cd_high));
                store(3, _mm256_shuffle_ps::<0xEE>(ab_high, cd_high));
            }
        }
    }
}
