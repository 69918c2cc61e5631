//! Activations of a batch with the samples in the lanes, and the products of a linear layer on them.
//!
//! A matrix `[features, samples]` is cut into panels of 64 samples. A panel holds its samples' part of every feature,
//! feature after feature, so that a product reads and writes memory in order and 64 features of a panel (16 KiB) stay in
//! the first cache. Weights are read where they lie. Each output is a sum over the inner dimension in order, fused
//! multiply-adds from start to end: neither the lanes' width nor the shape of a tile decides a bit.

use super::elementwise::{add_dots, add_rows, multiply, tree};
use super::lanes::{Lanes, Level, Portable};
use super::smooth::{Gated, gate, gate_with_slope};
use super::transpose::transpose;
use std::cell::RefCell;
use std::ops::Range;

/// Columns of a panel; the last one of a matrix is as wide as its columns need, in whole lanes.
pub(super) const WIDTH: usize = 64;

/// Rows of the inner dimension that are multiplied at a time, at most.
const DEPTH: usize = 64;

/// Rows of the left side that are multiplied at a time: outputs of a wider layer would leave the second cache between
/// one part of the inner dimension and the next.
const ROWS: usize = 256;

pub(super) const LANES: usize = 16;

/// Layers of at most this many outputs get their weights' gradient by dot products along the samples.
const THIN: usize = 8;

/// A matrix in panels. Columns that fill up the last lanes hold whatever came of zeros.
#[derive(Debug, Default)]
pub(crate) struct Panels {
    rows: usize,
    columns: usize,
    data: Vec<f32>,
}

/// How many buffers wait for another use at most: more than passes through any networks here take, which for an ensemble
/// and a plan of many steps are hundreds.
const SPARES: usize = 512;

thread_local! {
    /// What panels and gradients that are gone held, for the next ones of the same size, or of nearly the same where
    /// batches differ: training takes no memory once it runs.
    static SPARE: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

/// A buffer of any content, all of which the caller overwrites.
pub(crate) fn take_spare(len: usize) -> Vec<f32> {
    let spare = SPARE.with_borrow_mut(|spare| {
        let fits = |data: &Vec<f32>| (len..=2 * len).contains(&data.capacity());
        let found =
            spare.iter().rposition(|data| data.len() == len).or_else(|| spare.iter().rposition(fits))?;
        let mut data = spare.swap_remove(found);
        data.resize(len, 0.0);
        Some(data)
    });
    spare.unwrap_or_else(|| vec![0.0; len])
}

/// Keeps a buffer for [`take_spare`].
pub(crate) fn keep_spare(data: Vec<f32>) {
    // Gone with its thread, the store takes nothing back.
    let _ = SPARE.try_with(|spare| {
        let mut spare = spare.borrow_mut();
        if spare.len() < SPARES && !data.is_empty() {
            spare.push(data);
        }
    });
}

impl Drop for Panels {
    fn drop(&mut self) {
        keep_spare(std::mem::take(&mut self.data));
    }
}

/// The widths of a row's panels, with where each begins in the row.
fn cut(columns: usize) -> impl Iterator<Item = (usize, usize)> {
    let lanes = columns.next_multiple_of(LANES);
    (0..lanes).step_by(WIDTH).map(move |start| (start, WIDTH.min(lanes - start)))
}

impl Panels {
    /// Panels of any content, all of which the caller overwrites.
    pub(super) fn take(rows: usize, columns: usize) -> Self {
        Self { rows, columns, data: take_spare(rows * columns.next_multiple_of(LANES)) }
    }

    /// Samples in row-major matrices `[samples, features]`, side by side, as `[features, samples]`.
    pub(crate) fn of_samples(matrices: &[&[f32]], samples: usize) -> Self {
        let rows = matrices.iter().map(|matrix| matrix.len() / samples).sum();
        let mut panels = Self::take(rows, samples);
        let mut first = 0;
        for matrix in matrices {
            let features = matrix.len() / samples;
            for (start, width) in cut(samples) {
                let inside = width.min(samples - start);
                let panel = &mut panels.data[start * rows + first * width..][..features * width];
                transpose(&matrix[start * features..], features, panel, width, (features, inside));
                panel.chunks_exact_mut(width).for_each(|row| row[inside..].fill(0.0));
            }
            first += features;
        }
        panels
    }

    /// How many features there are.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Each panel's columns.
    pub(super) fn cut(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        cut(self.columns).map(|(start, width)| start..start + width)
    }

    /// Each panel, row after row.
    pub(super) fn panels(&self) -> impl Iterator<Item = &[f32]> {
        self.data.chunks(self.rows * WIDTH)
    }

    /// Each panel, row after row.
    pub(super) fn panels_mut(&mut self) -> impl Iterator<Item = &mut [f32]> {
        self.data.chunks_mut(self.rows * WIDTH)
    }

    /// x ← unit(x), and where `slopes` are wanted, the slopes at x.
    pub(crate) fn gate(&mut self, unit: Gated, slopes: bool) -> Option<Self> {
        if !slopes {
            gate(&mut self.data, unit);
            return None;
        }
        let mut slopes = Self::take(self.rows, self.columns);
        gate_with_slope(&mut self.data, &mut slopes.data, unit);
        Some(slopes)
    }

    /// 1 where x is above 0, and 0 elsewhere: the slopes of a ReLU.
    pub(crate) fn positive(&self) -> Self {
        let mut slopes = Self::take(self.rows, self.columns);
        for (slope, x) in slopes.data.iter_mut().zip(&self.data) {
            *slope = if *x > 0.0 { 1.0 } else { 0.0 };
        }
        slopes
    }

    /// x ← x · factor, element by element.
    pub(crate) fn multiply(&mut self, factors: &Self) {
        multiply(&mut self.data, &factors.data);
    }

    /// How many samples there are.
    pub(crate) fn samples(&self) -> usize {
        self.columns
    }

    /// Calls `f` on every element and its place in the row-major `[samples, features]`.
    pub(crate) fn each_of_samples(&self, out: &mut [f32], f: impl Fn(&mut f32, f32)) {
        for (start, width) in cut(self.columns) {
            let panel = &self.data[start * self.rows..][..width * self.rows];
            let out = &mut out[start * self.rows..];
            for (feature, row) in panel.chunks_exact(width).enumerate() {
                let places = out.iter_mut().skip(feature).step_by(self.rows).take(self.columns - start);
                places.zip(row).for_each(|(to, from)| f(to, *from));
            }
        }
    }

    /// Each row's sum. Columns that fill up the last lanes must hold 0.
    pub(super) fn row_sums(&self, sums: &mut [f32]) {
        let mut lanes = vec![[0f32; LANES]; self.rows];
        for (start, width) in cut(self.columns) {
            add_rows(&self.data[start * self.rows..][..width * self.rows], width, &mut lanes);
        }
        sums.iter_mut().zip(lanes).for_each(|(sum, lanes)| *sum = tree(lanes));
    }

    /// `[samples, features]` in panels of 64 features.
    fn transposed(&self) -> Self {
        let mut to = Self::take(self.columns, self.rows);
        for (feature, to_width) in cut(self.rows) {
            let features = to_width.min(self.rows - feature);
            for (sample, from_width) in cut(self.columns) {
                let samples = from_width.min(self.columns - sample);
                let from = &self.data[sample * self.rows + feature * from_width..];
                let to = &mut to.data[feature * self.columns + sample * to_width..][..samples * to_width];
                transpose(from, from_width, to, to_width, (samples, features));
                to.chunks_exact_mut(to_width).for_each(|row| row[features..].fill(0.0));
            }
        }
        to
    }
}

/// What the outputs start from.
#[derive(Clone, Copy)]
enum Start {
    Zero,
    /// What they hold.
    Held,
    /// The same number in all columns, another in each row.
    Column(*const f32),
}

/// What is done to the outputs at the end.
#[derive(Clone, Copy)]
enum End {
    Nothing,
    Relu,
    /// Zeroes where this matrix, laid out as the outputs are, is not positive.
    Gate(*const f32),
    /// Products with this matrix, laid out as the outputs are.
    Multiply(*const f32),
}

/// `c[rows, width] (+)= a[rows, depth] · b[depth, width]`, one block of a product.
#[derive(Clone, Copy)]
struct Block {
    rows: usize,
    depth: usize,
    /// A multiple of the lanes.
    width: usize,
    a: *const f32,
    a_row: usize,
    a_column: usize,
    b: *const f32,
    b_row: usize,
    c: *mut f32,
    c_row: usize,
    /// Columns of `c` that exist: the last lanes of a strip may hang over.
    c_columns: usize,
    start: Start,
    end: End,
}

impl Block {
    /// The `V · 16` columns from `column` on.
    unsafe fn strip(mut self, column: usize) -> Self {
        unsafe {
            self.b = self.b.add(column);
            self.c = self.c.add(column);
            self.c_columns -= column;
            if let End::Gate(matrix) | End::Multiply(matrix) = &mut self.end {
                *matrix = matrix.add(column);
            }
        }
        self
    }
}

/// The strides of `a` that are known when the program is built, which spares a tile's loop its address arithmetic.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Strides {
    /// `a` is a whole panel.
    Panel,
    /// `a` is the weight of a layer with 256 inputs.
    Weight256,
    /// `a` is the transpose of such a weight.
    Transposed256,
    Any,
}

/// `R` rows and `V` vectors of columns of a block, all in registers.
#[inline(always)]
unsafe fn tile<S: Lanes, const R: usize, const V: usize>(block: &Block, strides: Strides, row: usize) {
    let (a_row, a_column) = match strides {
        Strides::Panel => (WIDTH, 1),
        Strides::Weight256 => (256, 1),
        Strides::Transposed256 => (1, 256),
        Strides::Any => (block.a_row, block.a_column),
    };
    unsafe {
        let c = block.c.add(row * block.c_row);
        let mut sums = [[S::splat(0.0); V]; R];
        let whole = block.c_columns >= V * LANES;
        match block.start {
            Start::Zero => {}
            Start::Column(column) => {
                for (r, sums) in sums.iter_mut().enumerate() {
                    *sums = [S::splat(*column.add(row + r)); V];
                }
            }
            Start::Held => {
                for (r, sums) in sums.iter_mut().enumerate() {
                    for (v, sum) in sums.iter_mut().enumerate() {
                        let from = c.add(r * block.c_row + v * LANES);
                        *sum = if whole {
                            S::load(from)
                        } else {
                            let mut held = [0f32; LANES];
                            let count = LANES.min(block.c_columns - v * LANES);
                            std::ptr::copy_nonoverlapping(from, held.as_mut_ptr(), count);
                            S::load(held.as_ptr())
                        };
                    }
                }
            }
        }
        // Where a register holds all lanes, a strip is a whole block, and its rows lie one after the other.
        let b_row = if S::WIDEST { V * LANES } else { block.b_row };
        let mut a = block.a.add(row * a_row);
        let mut b = block.b;
        // Two steps to a turn of the loop, written out: a closure, an inner loop or two more steps push the sums out of
        // the registers.
        macro_rules! step {
            ($i:literal) => {
                let mut right = [S::splat(0.0); V];
                for (v, right) in right.iter_mut().enumerate() {
                    *right = S::load(b.add($i * b_row + v * LANES));
                }
                for (r, sums) in sums.iter_mut().enumerate() {
                    let left = S::splat(*a.add(r * a_row + $i * a_column));
                    for v in 0..V {
                        sums[v] = left.mul_add(right[v], sums[v]);
                    }
                }
            };
        }
        for _ in 0..block.depth / 2 {
            step!(0);
            step!(1);
            // Past the last step these point beyond the matrices, and nothing is read there.
            a = a.wrapping_add(2 * a_column);
            b = b.wrapping_add(2 * b_row);
        }
        if block.depth % 2 == 1 {
            step!(0);
        }
        // One loop for each kind of end: with all of them in one, the sums would not stay in registers.
        macro_rules! end {
            (|$sum:ident, $offset:ident| $value:expr) => {
                for (r, sums) in sums.iter_mut().enumerate() {
                    for (v, $sum) in sums.iter_mut().enumerate() {
                        let $offset = (row + r) * block.c_row + v * LANES;
                        *$sum = $value;
                    }
                }
            };
        }
        match block.end {
            End::Nothing => {}
            End::Relu => end!(|sum, _offset| sum.relu()),
            End::Gate(gate) => end!(|sum, offset| sum.where_positive(S::load(gate.add(offset)))),
            End::Multiply(slopes) => end!(|sum, offset| sum.mul(S::load(slopes.add(offset)))),
        }
        for (r, sums) in sums.iter().enumerate() {
            for (v, sum) in sums.iter().enumerate() {
                let to = c.add(r * block.c_row + v * LANES);
                if whole {
                    sum.store(to);
                } else {
                    sum.store_first(to, LANES.min(block.c_columns - v * LANES));
                }
            }
        }
    }
}

/// All rows of `V` vectors of columns: tiles of `R` rows, then of four, of two, single rows.
#[inline(always)]
unsafe fn strip<S: Lanes, const R: usize, const V: usize>(block: &Block) {
    unsafe {
        match (block.a_row, block.a_column) {
            (WIDTH, 1) => tiles::<S, R, V>(block, Strides::Panel),
            (256, 1) => tiles::<S, R, V>(block, Strides::Weight256),
            (1, 256) => tiles::<S, R, V>(block, Strides::Transposed256),
            _ => tiles::<S, R, V>(block, Strides::Any),
        }
    }
}

#[inline(always)]
unsafe fn tiles<S: Lanes, const R: usize, const V: usize>(block: &Block, strides: Strides) {
    unsafe {
        let mut row = 0;
        while row + R <= block.rows {
            tile::<S, R, V>(block, strides, row);
            row += R;
        }
        while row + 4 <= block.rows {
            tile::<S, 4, V>(block, strides, row);
            row += 4;
        }
        while row + 2 <= block.rows {
            tile::<S, 2, V>(block, strides, row);
            row += 2;
        }
        while row < block.rows {
            tile::<S, 1, V>(block, strides, row);
            row += 1;
        }
    }
}

/// 24 sums in registers whatever the width: few loads a multiply-add where the block is wide.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn block_avx512(block: &Block) {
    use super::lanes::Avx512;
    unsafe {
        match block.width / LANES {
            4 => strip::<Avx512, 6, 4>(block),
            3 => strip::<Avx512, 8, 3>(block),
            2 => strip::<Avx512, 12, 2>(block),
            _ => strip::<Avx512, 24, 1>(block),
        }
    }
}

/// Sixteen registers: six rows of two.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn block_avx2(block: &Block) {
    use super::lanes::Avx2;
    for column in (0..block.width).step_by(LANES) {
        unsafe { strip::<Avx2, 6, 1>(&block.strip(column)) };
    }
}

unsafe fn block_portable(block: &Block) {
    for column in (0..block.width).step_by(LANES) {
        unsafe { strip::<Portable, 1, 1>(&block.strip(column)) };
    }
}

fn run(level: Level, block: &Block) {
    let _flush = super::flush::Flush::new();
    // SAFETY: `product` and `linear_backward_parameters` derive every pointer and size from slices that they hold, and
    // the level is one that the processor has.
    unsafe {
        match level {
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => block_avx512(block),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => block_avx2(block),
            Level::Portable => block_portable(block),
        }
    }
}

/// The left side of a product: `a[i, k] = data[i · row + k · column]`.
#[derive(Clone, Copy)]
struct Left<'a> {
    data: &'a [f32],
    rows: usize,
    row: usize,
    column: usize,
}

/// What a gradient is multiplied by once it has passed a layer: the slopes of the units before that.
#[derive(Clone, Copy)]
pub(crate) enum Slopes<'a> {
    /// 1 everywhere.
    None,
    /// Of ReLU: 1 where its value is positive, and 0 elsewhere.
    OfRelu(&'a Panels),
    /// These.
    Given(&'a Panels),
}

/// `a · b`, from `start` (one number a row) or from zero; multiplied by `slopes`, or zero where it is not positive if
/// `relu`.
fn product(
    level: Level,
    a: Left<'_>,
    b: &Panels,
    start: Option<&[f32]>,
    relu: bool,
    slopes: Slopes<'_>,
) -> Panels {
    let last = (a.rows - 1) * a.row + (b.rows - 1) * a.column;
    assert!(last < a.data.len() && start.is_none_or(|start| start.len() == a.rows));
    if let Slopes::OfRelu(slopes) | Slopes::Given(slopes) = slopes {
        assert!((slopes.rows, slopes.columns) == (a.rows, b.columns));
    }
    let mut c = Panels::take(a.rows, b.columns);
    // The transpose of a weight is read a column at a time, and columns of a part of it would be read in vain.
    let rows = if a.column == 1 { ROWS } else { a.rows };
    // Parts of one size: a short one would load and store its sums for next to nothing.
    let most = b.rows.div_ceil(b.rows.div_ceil(DEPTH)).next_multiple_of(2);
    for (first, width) in cut(b.columns) {
        for row in (0..a.rows).step_by(rows) {
            let at = first * a.rows + row * width;
            for depth in (0..b.rows).step_by(most) {
                let at_end = depth + most >= b.rows;
                run(
                    level,
                    &Block {
                        rows: rows.min(a.rows - row),
                        depth: most.min(b.rows - depth),
                        width,
                        a: a.data[row * a.row + depth * a.column..].as_ptr(),
                        a_row: a.row,
                        a_column: a.column,
                        b: b.data[first * b.rows + depth * width..].as_ptr(),
                        b_row: width,
                        c: c.data[at..].as_mut_ptr(),
                        c_row: width,
                        c_columns: width,
                        start: match start {
                            _ if depth > 0 => Start::Held,
                            Some(start) => Start::Column(start[row..].as_ptr()),
                            None => Start::Zero,
                        },
                        end: match slopes {
                            _ if !at_end => End::Nothing,
                            Slopes::OfRelu(slopes) => End::Gate(slopes.data[at..].as_ptr()),
                            Slopes::Given(slopes) => End::Multiply(slopes.data[at..].as_ptr()),
                            Slopes::None if relu => End::Relu,
                            Slopes::None => End::Nothing,
                        },
                    },
                );
            }
        }
    }
    c
}

/// `y[outputs, samples] = w · x + b`, with `w[outputs, inputs]` as PyTorch lays it out; clamped to zero from below if
/// `relu`.
pub(crate) fn linear(x: &Panels, w: &[f32], b: &[f32], relu: bool) -> Panels {
    let w = Left { data: w, rows: b.len(), row: x.rows, column: 1 };
    product(Level::current(), w, x, Some(b), relu, Slopes::None)
}

/// The gradient of some of a linear layer's inputs, or of what these come of by units with such `slopes`:
/// `dx[inputs, samples] = (wᵀ · g) ∘ slopes`. ReLU's derivative at 0 is 0, as in PyTorch.
pub(crate) fn linear_backward_input(
    g: &Panels,
    w: &[f32],
    inputs: Range<usize>,
    slopes: Slopes<'_>,
) -> Panels {
    let w = Left { data: &w[inputs.start..], rows: inputs.len(), row: 1, column: w.len() / g.rows };
    product(Level::current(), w, g, None, false, slopes)
}

/// The gradients of a linear layer's weight and bias: `dw[outputs, inputs] = g · xᵀ`, `db[outputs]` = row sums. `turned`
/// keeps xᵀ for whoever asks next.
pub(crate) fn linear_backward_parameters(
    g: &Panels,
    x: &Panels,
    turned: &mut Option<Panels>,
    dw: &mut [f32],
    db: &mut [f32],
) {
    assert!(g.columns == x.columns && dw.len() == g.rows * x.rows && db.len() == g.rows);
    g.row_sums(db);
    if g.rows <= THIN {
        dots(g, x, dw);
    } else {
        outer_product(Level::current(), g, turned.get_or_insert_with(|| x.transposed()), dw);
    }
}

/// `dw = g · turned`, row-major; `turned` is xᵀ.
fn outer_product(level: Level, g: &Panels, turned: &Panels, dw: &mut [f32]) {
    assert!(g.columns == turned.rows && dw.len() == g.rows * turned.columns);
    for (input, width) in cut(turned.columns) {
        for row in (0..g.rows).step_by(ROWS) {
            for (sample, stride) in cut(g.columns) {
                run(
                    level,
                    &Block {
                        rows: ROWS.min(g.rows - row),
                        depth: stride.min(g.columns - sample),
                        width,
                        a: g.data[sample * g.rows + row * stride..].as_ptr(),
                        a_row: stride,
                        a_column: 1,
                        b: turned.data[input * turned.rows + sample * width..].as_ptr(),
                        b_row: width,
                        c: dw[row * turned.columns + input..].as_mut_ptr(),
                        c_row: turned.columns,
                        c_columns: width.min(turned.columns - input),
                        start: if sample == 0 { Start::Zero } else { Start::Held },
                        end: End::Nothing,
                    },
                );
            }
        }
    }
}

/// `dw = g · xᵀ`, each as a dot product along the samples. Samples that fill up the last lanes must be 0 in `g`.
fn dots(g: &Panels, x: &Panels, dw: &mut [f32]) {
    for (output, dw) in dw.chunks_exact_mut(x.rows).enumerate() {
        let mut lanes = vec![[0f32; LANES]; x.rows];
        for (start, width) in cut(g.columns) {
            let g = &g.data[start * g.rows + output * width..][..width];
            add_dots(g, &x.data[start * x.rows..][..width * x.rows], &mut lanes);
        }
        dw.iter_mut().zip(lanes).for_each(|(dw, lanes)| *dw = tree(lanes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use streams::Stream;

    fn matrix(stream: &mut Stream, len: usize) -> Vec<f32> {
        (0..len).map(|_| stream.normal() as f32).collect()
    }

    /// The bits in the row-major order of `[samples, features]`.
    fn bits_of_samples(panels: &Panels) -> Vec<u32> {
        let mut out = vec![f32::NAN; panels.rows * panels.columns];
        panels.each_of_samples(&mut out, |to, from| *to = from);
        bits(&out)
    }

    fn bits(values: &[f32]) -> Vec<u32> {
        values.iter().map(|x| x.to_bits()).collect()
    }

    /// `Σ_k a(i, k) · b(k, j)`, each sum in order, each term fused.
    fn plain(
        (rows, depth, columns): (usize, usize, usize),
        start: impl Fn(usize) -> f32,
        a: impl Fn(usize, usize) -> f32,
        b: impl Fn(usize, usize) -> f32,
    ) -> Vec<u32> {
        let sum = |i: usize, j: usize| (0..depth).fold(start(j), |sum, k| a(i, k).mul_add(b(k, j), sum));
        (0..rows * columns).map(|at| sum(at / columns, at % columns).to_bits()).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

        /// Every instruction set gives the bits of the plain sum in order, at every awkward size.
        #[test]
        fn products_are_sums_in_order_on_every_instruction_set(
            batch in 1usize..150, inputs in 1usize..300, outputs in 1usize..300, seed in 0u64..1000,
            common: bool,
        ) {
            let inputs = if common { 256 } else { inputs };
            let stream = &mut Stream::new(seed, "test");
            let (x, w) = (matrix(stream, batch * inputs), matrix(stream, inputs * outputs));
            let (g, b) = (matrix(stream, batch * outputs), matrix(stream, outputs));
            let (xs, gs) = (Panels::of_samples(&[&x], batch), Panels::of_samples(&[&g], batch));
            prop_assert_eq!(bits_of_samples(&xs), bits(&x));
            let (x_at, w_at) = (|s, i| x[s * inputs + i], |o, i| w[o * inputs + i]);
            let g_at = |s, o| g[s * outputs + o];
            let y = plain((batch, inputs, outputs), |o| b[o], x_at, |i, o| w_at(o, i));
            let dx = plain((batch, outputs, inputs), |_| 0.0, g_at, w_at);
            let dw = plain((outputs, batch, inputs), |_| 0.0, |o, s| g_at(s, o), x_at);
            let gated: Vec<u32> =
                dx.iter().zip(&x).map(|(dx, x)| if *x > 0.0 { *dx } else { 0 }).collect();
            let multiplied: Vec<u32> =
                dx.iter().zip(&x).map(|(dx, x)| (f32::from_bits(*dx) * x).to_bits()).collect();
            for level in Level::available() {
                let weight = Left { data: &w, rows: outputs, row: inputs, column: 1 };
                let found = product(level, weight, &xs, Some(&b), false, Slopes::None);
                prop_assert_eq!(bits_of_samples(&found), y.clone(), "forward, {:?}", level);
                let weight = Left { data: &w, rows: inputs, row: 1, column: inputs };
                for (slopes, expected) in [(Slopes::OfRelu(&xs), &gated), (Slopes::Given(&xs), &multiplied)] {
                    let found = product(level, weight, &gs, None, false, slopes);
                    prop_assert_eq!(&bits_of_samples(&found), expected, "gradient of the input, {:?}", level);
                }
                let mut found = vec![f32::NAN; dw.len()];
                outer_product(level, &gs, &xs.transposed(), &mut found);
                prop_assert_eq!(bits(&found), dw.clone(), "gradient of the weight, {:?}", level);
            }
        }
    }
}
