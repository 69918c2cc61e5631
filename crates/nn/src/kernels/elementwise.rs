//! Loops over slices. Sums run in sixteen lanes of their own, so that no vector width changes them: the compiler may
//! use wider registers for the same additions but not other additions.
#![allow(unsafe_code)]

/// Compiles a loop for every level and takes the one in use. The operations are the same, so the bits are: nothing is
/// fused or reordered but what is written so.
macro_rules! wide {
    ($(#[$doc:meta])* fn $name:ident($($arg:ident: $type:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$doc])*
        pub(crate) fn $name($($arg: $type),*) $(-> $ret)? {
            #[inline(always)]
            fn plain($($arg: $type),*) $(-> $ret)? $body
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f")]
            fn avx512($($arg: $type),*) $(-> $ret)? { plain($($arg),*) }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2($($arg: $type),*) $(-> $ret)? { plain($($arg),*) }
            let _flush = $crate::kernels::flush::Flush::new();
            match $crate::kernels::lanes::Level::current() {
                // SAFETY: the processor has the features of its level.
                #[cfg(target_arch = "x86_64")]
                $crate::kernels::lanes::Level::Avx512 => unsafe { avx512($($arg),*) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                $crate::kernels::lanes::Level::Avx2 => unsafe { avx2($($arg),*) },
                $crate::kernels::lanes::Level::Portable => plain($($arg),*),
            }
        }
    };
}
pub(super) use wide;

/// The sum of `a[i] · b[i]`, in sixteen lanes and then a tree.
#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0f32; 16];
    let (a, a_rest) = a.as_chunks::<16>();
    let (b, b_rest) = b.as_chunks::<16>();
    for (a, b) in a.iter().zip(b) {
        for i in 0..16 {
            lanes[i] += a[i] * b[i];
        }
    }
    for (i, (a, b)) in a_rest.iter().zip(b_rest).enumerate() {
        lanes[i] += a * b;
    }
    tree(lanes)
}

/// The sum of sixteen lanes.
#[inline(always)]
pub(super) fn tree(mut lanes: [f32; 16]) -> f32 {
    for width in [8, 4, 2, 1] {
        for i in 0..width {
            lanes[i] += lanes[i + width];
        }
    }
    lanes[0]
}

wide! {
    /// Adds each row of `x[.., width]` to its lanes.
    fn add_rows(x: &[f32], width: usize, lanes: &mut [[f32; 16]]) {
        for (row, lanes) in x.chunks_exact(width).zip(lanes) {
            for x in row.as_chunks::<16>().0 {
                for i in 0..16 {
                    lanes[i] += x[i];
                }
            }
        }
    }
}

wide! {
    /// Adds the products of each row of `a[.., width]` with that of `b` to its lanes.
    fn add_products(a: &[f32], b: &[f32], width: usize, lanes: &mut [[f32; 16]]) {
        for ((a, b), lanes) in a.chunks_exact(width).zip(b.chunks_exact(width)).zip(lanes) {
            for (a, b) in a.as_chunks::<16>().0.iter().zip(b.as_chunks::<16>().0) {
                for i in 0..16 {
                    lanes[i] += a[i] * b[i];
                }
            }
        }
    }
}

wide! {
    /// x ← x · factor.
    fn multiply(values: &mut [f32], factors: &[f32]) {
        for (x, factor) in values.iter_mut().zip(factors) {
            *x *= factor;
        }
    }
}

wide! {
    /// Adds the products of `g` with each row of `x[.., g.len()]` to its lanes.
    fn add_dots(g: &[f32], x: &[f32], lanes: &mut [[f32; 16]]) {
        for (row, lanes) in x.chunks_exact(g.len()).zip(lanes) {
            for (g, x) in g.as_chunks::<16>().0.iter().zip(row.as_chunks::<16>().0) {
                for i in 0..16 {
                    lanes[i] += g[i] * x[i];
                }
            }
        }
    }
}

wide! {
    /// `y[outputs] = w[outputs, inputs] · x + b`, for a single sample.
    fn linear_of_one(x: &[f32], w: &[f32], b: &[f32]) -> Vec<f32> {
        // A plain loop: a closure would be compiled without the wider instructions.
        let mut y = b.to_vec();
        for (y, w) in y.iter_mut().zip(w.chunks_exact(x.len())) {
            *y += dot(x, w);
        }
        y
    }
}

/// The constants of one Adam step (Kingma and Ba 2015), with the bias corrections folded in as PyTorch does.
#[derive(Clone, Copy)]
pub(crate) struct AdamConstants {
    pub(crate) beta1: f32,
    pub(crate) beta2: f32,
    /// 1 − β, rounded once from float64: `1.0 - 0.999f32` is off by 1.3e-5.
    pub(crate) one_minus_beta1: f32,
    pub(crate) one_minus_beta2: f32,
    /// lr / (1 − β₁ᵗ).
    pub(crate) step_size: f32,
    /// 1 / √(1 − β₂ᵗ).
    pub(crate) root_correction: f32,
    pub(crate) epsilon: f32,
}

wide! {
    /// `m ← β₁ m + (1 − β₁) g`, `v ← β₂ v + (1 − β₂) g²`, `θ ← θ − step_size · m / (√v · root_correction + ε)`.
    fn adam(theta: &mut [f32], first: &mut [f32], second: &mut [f32], gradient: &[f32], c: AdamConstants) {
        for (((theta, m), v), g) in theta.iter_mut().zip(first).zip(second).zip(gradient) {
            *m = c.beta1 * *m + c.one_minus_beta1 * g;
            *v = c.beta2 * *v + c.one_minus_beta2 * (g * g);
            *theta -= c.step_size * *m / (v.sqrt() * c.root_correction + c.epsilon);
        }
    }
}

wide! {
    /// `target ← (1 − τ) target + τ online`.
    fn polyak(target: &mut [f32], online: &[f32], one_minus_tau: f32, tau: f32) {
        for (t, o) in target.iter_mut().zip(online) {
            *t = one_minus_tau * *t + tau * o;
        }
    }
}
