//! The arithmetic: slices in, slices out, no candle. Matrices are row-major.
//!
//! Sums run in an order that no vector width changes: `gemm` accumulates each output over the inner dimension in
//! order, and the loops here keep sixteen lanes of their own. The compiler may use wider registers for the same
//! additions but not other additions.
#![allow(unsafe_code)]

use gemm::{Parallelism, gemm};

/// A strided view of a matrix for [`product`]: the slice, the stride between rows, the stride between columns.
#[derive(Clone, Copy)]
struct View<'a> {
    data: &'a [f32],
    row: usize,
    column: usize,
}

impl View<'_> {
    fn holds(&self, rows: usize, columns: usize) -> bool {
        (rows - 1) * self.row + (columns - 1) * self.column < self.data.len()
    }
}

/// `out[m, n] = lhs[m, k] · rhs[k, n]`, plus what `out` holds if `accumulate`.
fn product(
    (m, k, n): (usize, usize, usize),
    lhs: View<'_>,
    rhs: View<'_>,
    out: &mut [f32],
    accumulate: bool,
) {
    assert!(m > 0 && k > 0 && n > 0 && lhs.holds(m, k) && rhs.holds(k, n) && out.len() >= m * n);
    // SAFETY: the assertion above holds every index that `gemm` reads or writes for these sizes and strides within
    // the three slices, and `out` is borrowed exclusively.
    unsafe {
        gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            n as isize,
            accumulate,
            lhs.data.as_ptr(),
            lhs.column as isize,
            lhs.row as isize,
            rhs.data.as_ptr(),
            rhs.column as isize,
            rhs.row as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

/// Layers at most this wide are computed by loops along their input: a product kernel would mostly pad.
const THIN: usize = 2;

/// Compiles a loop twice, for the baseline and for AVX2, and takes the second where the processor has it. Without
/// fused multiply-add both give the same bits.
macro_rules! wide {
    ($(#[$doc:meta])* fn $name:ident($($arg:ident: $type:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$doc])*
        pub(crate) fn $name($($arg: $type),*) $(-> $ret)? {
            #[inline(always)]
            fn plain($($arg: $type),*) $(-> $ret)? $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2")]
                fn avx2($($arg: $type),*) $(-> $ret)? { plain($($arg),*) }
                if std::arch::is_x86_feature_detected!("avx2") {
                    // SAFETY: the processor has the feature.
                    return unsafe { avx2($($arg),*) };
                }
            }
            plain($($arg),*)
        }
    };
}

wide! {
    /// Clamps to zero from below.
    fn relu(x: &mut [f32]) {
        for x in x {
            *x = x.max(0.0);
        }
    }
}

wide! {
    /// Zeroes `gradient` where the activation is not positive. The derivative at 0 is 0, as in PyTorch.
    fn relu_backward(gradient: &mut [f32], activation: &[f32]) {
        for (g, a) in gradient.iter_mut().zip(activation) {
            *g = if *a > 0.0 { *g } else { 0.0 };
        }
    }
}

wide! {
    /// The sum of `a[i] · b[i]`, in sixteen lanes and then a tree.
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
        for width in [8, 4, 2, 1] {
            for i in 0..width {
                lanes[i] += lanes[i + width];
            }
        }
        lanes[0]
    }
}

wide! {
    /// `y += scale · x`.
    fn add_scaled(y: &mut [f32], scale: f32, x: &[f32]) {
        for (y, x) in y.iter_mut().zip(x) {
            *y += scale * x;
        }
    }
}

wide! {
    /// The sum of each column of `x[rows, out.len()]`, rows in order.
    fn column_sums(x: &[f32], out: &mut [f32]) {
        out.fill(0.0);
        for row in x.chunks_exact(out.len()) {
            for (o, x) in out.iter_mut().zip(row) {
                *o += x;
            }
        }
    }
}

/// `y[batch, outputs] = x[batch, inputs] · wᵀ + b`, with `w[outputs, inputs]` as PyTorch lays it out.
pub(crate) fn linear(x: &[f32], w: &[f32], b: &[f32]) -> Vec<f32> {
    let outputs = b.len();
    let inputs = w.len() / outputs;
    let batch = x.len() / inputs;
    let mut y = Vec::with_capacity(batch * outputs);
    if outputs <= THIN || batch == 1 {
        for x in x.chunks_exact(inputs) {
            y.extend(w.chunks_exact(inputs).zip(b).map(|(w, b)| dot(x, w) + b));
        }
    } else {
        (0..batch).for_each(|_| y.extend_from_slice(b));
        let x = View { data: x, row: inputs, column: 1 };
        let w = View { data: w, row: 1, column: inputs };
        product((batch, inputs, outputs), x, w, &mut y, true);
    }
    y
}

/// The gradients of a linear layer's weight and bias: `dw[outputs, inputs] = gᵀ · x`, `db[outputs]` = column sums.
pub(crate) fn linear_backward_parameters(g: &[f32], x: &[f32], dw: &mut [f32], db: &mut [f32]) {
    let outputs = db.len();
    let inputs = dw.len() / outputs;
    let batch = g.len() / outputs;
    column_sums(g, db);
    if outputs <= THIN {
        dw.fill(0.0);
        for (g, x) in g.chunks_exact(outputs).zip(x.chunks_exact(inputs)) {
            for (g, dw) in g.iter().zip(dw.chunks_exact_mut(inputs)) {
                add_scaled(dw, *g, x);
            }
        }
    } else {
        let g = View { data: g, row: 1, column: outputs };
        let x = View { data: x, row: inputs, column: 1 };
        product((outputs, batch, inputs), g, x, dw, false);
    }
}

/// The gradient of a linear layer's input: `dx[batch, inputs] = g[batch, outputs] · w[outputs, inputs]`, added to what
/// `dx` holds if `accumulate`.
pub(crate) fn linear_backward_input(g: &[f32], w: &[f32], outputs: usize, dx: &mut [f32], accumulate: bool) {
    let inputs = w.len() / outputs;
    let batch = g.len() / outputs;
    if outputs <= THIN {
        if !accumulate {
            dx.fill(0.0);
        }
        for (g, dx) in g.chunks_exact(outputs).zip(dx.chunks_exact_mut(inputs)) {
            for (g, w) in g.iter().zip(w.chunks_exact(inputs)) {
                add_scaled(dx, *g, w);
            }
        }
    } else {
        let g = View { data: g, row: outputs, column: 1 };
        let w = View { data: w, row: inputs, column: 1 };
        product((batch, outputs, inputs), g, w, dx, accumulate);
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
    /// Moves both moments of every parameter: `m ← β₁ m + (1 − β₁) g`, `v ← β₂ v + (1 − β₂) g²`.
    fn adam_moments(first: &mut [f32], second: &mut [f32], gradient: &[f32], c: AdamConstants) {
        for ((m, v), g) in first.iter_mut().zip(second).zip(gradient) {
            *m = c.beta1 * *m + c.one_minus_beta1 * g;
            *v = c.beta2 * *v + c.one_minus_beta2 * (g * g);
        }
    }
}

wide! {
    /// `θ ← θ − step_size · m / (√v · root_correction + ε)`.
    fn adam_step(theta: &mut [f32], first: &[f32], second: &[f32], c: AdamConstants) {
        for ((theta, m), v) in theta.iter_mut().zip(first).zip(second) {
            *theta -= c.step_size * m / (v.sqrt() * c.root_correction + c.epsilon);
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
