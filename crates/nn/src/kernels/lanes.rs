//! Sixteen float32 lanes, whatever the processor has: one AVX-512 register, a pair of AVX2 registers, or an array.
//!
//! Every operation is the same IEEE operation on each lane, multiply-add fused everywhere, so a kernel that is written
//! over [`Lanes`] gives the same bits on all of them.

/// Which of the three a kernel runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Portable,
}

impl Level {
    /// Every level that this processor has, the widest first.
    #[cfg_attr(not(target_arch = "x86_64"), expect(unused_mut, reason = "nothing is added"))]
    pub(super) fn available() -> Vec<Self> {
        let mut levels = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            levels.insert(0, Self::Avx2);
            if is_x86_feature_detected!("avx512f") {
                levels.insert(0, Self::Avx512);
            }
        }
        levels
    }

    fn name(self) -> &'static str {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => "avx512",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => "avx2",
            Self::Portable => "portable",
        }
    }

    /// The level in use: the widest, or the one that `REPRISE_SIMD` names if the processor has it.
    pub(crate) fn current() -> Self {
        static LEVEL: std::sync::OnceLock<Level> = std::sync::OnceLock::new();
        *LEVEL.get_or_init(|| {
            let wanted = std::env::var("REPRISE_SIMD").ok();
            let levels = Self::available();
            *levels.iter().find(|level| wanted.as_deref() == Some(level.name())).unwrap_or(&levels[0])
        })
    }
}

/// The vector instructions that the kernels use: `avx512`, `avx2` or `portable`. `REPRISE_SIMD` chooses a narrower set
/// than the processor's widest; the results have the same bits.
#[must_use]
pub fn simd() -> &'static str {
    Level::current().name()
}

/// Sixteen lanes.
///
/// # Safety
/// Pointers must be valid for the sixteen floats that are read or written (`count` for [`Self::store_first`]), and the
/// processor must have the instructions: kernels over lanes are entered through [`Level`] alone.
pub(super) trait Lanes: Copy {
    /// Whether one register holds them all.
    const WIDEST: bool = false;

    unsafe fn splat(x: f32) -> Self;
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
    /// Stores the first `count` lanes, at most sixteen.
    unsafe fn store_first(self, to: *mut f32, count: usize);
    /// `self · factor + addend`, rounded once.
    unsafe fn mul_add(self, factor: Self, addend: Self) -> Self;
    unsafe fn mul(self, factor: Self) -> Self;
    /// Each lane, or +0 where it is not above 0.
    unsafe fn relu(self) -> Self;
    /// Each lane, or +0 where that of `gate` is not above 0.
    unsafe fn where_positive(self, gate: Self) -> Self;
}

#[derive(Clone, Copy)]
pub(super) struct Portable([f32; 16]);

impl Portable {
    #[inline(always)]
    fn zip(self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        Self(std::array::from_fn(|i| f(self.0[i], other.0[i])))
    }
}

impl Lanes for Portable {
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        Self([x; 16])
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: sixteen floats, as the trait asks; so below.
        Self(unsafe { from.cast::<[f32; 16]>().read_unaligned() })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        unsafe { to.cast::<[f32; 16]>().write_unaligned(self.0) };
    }
    #[inline(always)]
    unsafe fn store_first(self, to: *mut f32, count: usize) {
        unsafe { std::ptr::copy_nonoverlapping(self.0.as_ptr(), to, count) };
    }
    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i].mul_add(factor.0[i], addend.0[i])))
    }
    #[inline(always)]
    unsafe fn mul(self, factor: Self) -> Self {
        self.zip(factor, |x, factor| x * factor)
    }
    #[inline(always)]
    unsafe fn relu(self) -> Self {
        self.zip(self, |x, gate| if gate > 0.0 { x } else { 0.0 })
    }
    #[inline(always)]
    unsafe fn where_positive(self, gate: Self) -> Self {
        self.zip(gate, |x, gate| if gate > 0.0 { x } else { 0.0 })
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) use x86::{Avx2, Avx512};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Lanes;
    use std::arch::x86_64::*;

    #[derive(Clone, Copy)]
    pub(in super::super) struct Avx512(__m512);

    // SAFETY of every block below: what the trait asks of its callers.
    impl Lanes for Avx512 {
        const WIDEST: bool = true;

        #[inline(always)]
        unsafe fn splat(x: f32) -> Self {
            Self(unsafe { _mm512_set1_ps(x) })
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            Self(unsafe { _mm512_loadu_ps(from) })
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            unsafe { _mm512_storeu_ps(to, self.0) };
        }
        #[inline(always)]
        unsafe fn store_first(self, to: *mut f32, count: usize) {
            unsafe { _mm512_mask_storeu_ps(to, ((1u32 << count) - 1) as __mmask16, self.0) };
        }
        #[inline(always)]
        unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
            Self(unsafe { _mm512_fmadd_ps(self.0, factor.0, addend.0) })
        }
        #[inline(always)]
        unsafe fn mul(self, factor: Self) -> Self {
            Self(unsafe { _mm512_mul_ps(self.0, factor.0) })
        }
        #[inline(always)]
        unsafe fn relu(self) -> Self {
            unsafe { self.where_positive(self) }
        }
        #[inline(always)]
        unsafe fn where_positive(self, gate: Self) -> Self {
            unsafe {
                let positive = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(gate.0, _mm512_setzero_ps());
                Self(_mm512_maskz_mov_ps(positive, self.0))
            }
        }
    }

    #[derive(Clone, Copy)]
    pub(in super::super) struct Avx2(__m256, __m256);

    impl Lanes for Avx2 {
        #[inline(always)]
        unsafe fn splat(x: f32) -> Self {
            let x = unsafe { _mm256_set1_ps(x) };
            Self(x, x)
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            unsafe { Self(_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8))) }
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            unsafe {
                _mm256_storeu_ps(to, self.0);
                _mm256_storeu_ps(to.add(8), self.1);
            }
        }
        #[inline(always)]
        unsafe fn store_first(self, to: *mut f32, count: usize) {
            let mut all = [0f32; 16];
            unsafe {
                self.store(all.as_mut_ptr());
                std::ptr::copy_nonoverlapping(all.as_ptr(), to, count);
            }
        }
        #[inline(always)]
        unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
            unsafe {
                Self(_mm256_fmadd_ps(self.0, factor.0, addend.0), _mm256_fmadd_ps(self.1, factor.1, addend.1))
            }
        }
        #[inline(always)]
        unsafe fn mul(self, factor: Self) -> Self {
            unsafe { Self(_mm256_mul_ps(self.0, factor.0), _mm256_mul_ps(self.1, factor.1)) }
        }
        #[inline(always)]
        unsafe fn relu(self) -> Self {
            unsafe { self.where_positive(self) }
        }
        #[inline(always)]
        unsafe fn where_positive(self, gate: Self) -> Self {
            unsafe {
                let zero = _mm256_setzero_ps();
                Self(
                    _mm256_and_ps(self.0, _mm256_cmp_ps::<_CMP_GT_OQ>(gate.0, zero)),
                    _mm256_and_ps(self.1, _mm256_cmp_ps::<_CMP_GT_OQ>(gate.1, zero)),
                )
            }
        }
    }
}
