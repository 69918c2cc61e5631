//! Matrices cut into panels of 64 columns, and the products of a linear layer on them.
//!
//! A panel holds its columns' part of every row, row after row, so that a product reads and writes memory in order and
//! 64 rows of a panel (16 KiB) stay in the first cache. Each output is a sum over the inner dimension in order, fused
//! multiply-adds from start to end: neither the lanes' width nor the shape of a tile decides a bit.

use super::lanes::{Lanes, Level, Portable};
use std::cell::RefCell;
use std::ops::Range;

/// Columns of a panel; the last one of a matrix is as wide as its columns need, in whole lanes.
const WIDTH: usize = 64;

/// Rows of the inner dimension that are multiplied at a time.
const DEPTH: usize = 64;

const LANES: usize = 16;

/// A matrix in panels. Columns that fill up the last lanes hold 0.
#[derive(Debug)]
pub(crate) struct Panels {
    rows: usize,
    columns: usize,
    data: Vec<f32>,
}

thread_local! {
    /// What panels that are gone held, for the next ones of the same size: training takes no memory once it runs.
    static SPARE: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

impl Drop for Panels {
    fn drop(&mut self) {
        let data = std::mem::take(&mut self.data);
        // Gone with its thread, the store takes nothing back.
        let _ = SPARE.try_with(|spare| spare.borrow_mut().push(data));
    }
}

/// The widths of a row's panels, with where each begins in the row.
fn cut(columns: usize) -> impl Iterator<Item = (usize, usize)> {
    let lanes = columns.next_multiple_of(LANES);
    (0..lanes).step_by(WIDTH).map(move |start| (start, WIDTH.min(lanes - start)))
}

impl Panels {
    /// Panels of any content, all of which the caller overwrites.
    fn take(rows: usize, columns: usize) -> Self {
        let len = rows * columns.next_multiple_of(LANES);
        let spare = SPARE.with_borrow_mut(|spare| {
            let found = spare.iter().rposition(|data| data.len() == len)?;
            Some(spare.swap_remove(found))
        });
        Self { rows, columns, data: spare.unwrap_or_else(|| vec![0.0; len]) }
    }

    /// Panels of row-major matrices of `rows` rows, side by side.
    pub(crate) fn beside(matrices: &[&[f32]], rows: usize) -> Self {
        let columns = matrices.iter().map(|matrix| matrix.len() / rows).sum();
        let mut panels = Self::take(rows, columns);
        let mut first = 0;
        for matrix in matrices {
            let count = matrix.len() / rows;
            panels.fill(first, matrix, count, 0..count);
            first += count;
        }
        panels
    }

    /// Panels of some columns of a row-major matrix.
    fn from_rows(matrix: &[f32], columns: usize, range: Range<usize>) -> Self {
        let mut panels = Self::take(matrix.len() / columns, range.len());
        panels.fill(0, matrix, columns, range);
        panels
    }

    /// Writes `range` of a row-major matrix's columns into the panels from column `first` on, and zeros into what
    /// fills up the last lanes.
    fn fill(&mut self, first: usize, matrix: &[f32], columns: usize, range: Range<usize>) {
        for (start, width) in cut(self.columns) {
            let panel = &mut self.data[start * self.rows..][..width * self.rows];
            let inside = width.min(self.columns - start);
            let (from, to) = (first.max(start), (first + range.len()).min(start + inside));
            if from >= to {
                continue;
            }
            let source = range.start + from - first;
            for (row, line) in panel.chunks_exact_mut(width).zip(matrix.chunks_exact(columns)) {
                row[from - start..to - start].copy_from_slice(&line[source..][..to - from]);
                row[inside..].fill(0.0);
            }
        }
    }

    /// Panels of a row-major matrix's transpose.
    fn from_columns(matrix: &[f32], rows: usize) -> Self {
        let columns = matrix.len() / rows;
        let mut panels = Self::take(rows, columns);
        for (start, width) in cut(columns) {
            let panel = &mut panels.data[start * rows..][..width * rows];
            super::transpose::transpose(
                &matrix[start * rows..][..width.min(columns - start) * rows],
                rows,
                panel,
                width,
            );
        }
        panels
    }

    /// How many rows there are.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Writes the matrix in row-major order.
    pub(crate) fn write_rows(&self, out: &mut [f32]) {
        self.each_row(out, <[f32]>::copy_from_slice);
    }

    /// Adds the matrix to a row-major one.
    pub(crate) fn add_rows_to(&self, out: &mut [f32]) {
        self.each_row(out, |to, from| to.iter_mut().zip(from).for_each(|(to, from)| *to += from));
    }

    /// Calls `f` on each row's part in each panel: first in `out`, which is row-major, then here.
    fn each_row(&self, out: &mut [f32], f: impl Fn(&mut [f32], &[f32])) {
        for (start, width) in cut(self.columns) {
            let panel = &self.data[start * self.rows..][..width * self.rows];
            let inside = width.min(self.columns - start);
            for (to, from) in out.chunks_exact_mut(self.columns).zip(panel.chunks_exact(width)) {
                f(&mut to[start..][..inside], &from[..inside]);
            }
        }
    }

    /// Adds each column's sum, rows in order, to `sums`.
    fn add_column_sums(&self, sums: &mut [f32]) {
        for (start, width) in cut(self.columns) {
            let panel = &self.data[start * self.rows..][..width * self.rows];
            let sums = &mut sums[start..][..width.min(self.columns - start)];
            super::elementwise::add_rows(panel, width, sums);
        }
    }
}

/// What the outputs start from.
#[derive(Clone, Copy)]
enum Start {
    Zero,
    /// What they hold.
    Held,
    /// The same row for all, as long as the block is wide.
    Row(*const f32),
}

/// What is done to the outputs at the end.
#[derive(Clone, Copy)]
enum End {
    Nothing,
    Relu,
    /// Zeroes where this matrix, laid out as the outputs are, is not positive.
    Gate(*const f32),
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
            if let Start::Row(row) = &mut self.start {
                *row = row.add(column);
            }
            if let End::Gate(gate) = &mut self.end {
                *gate = gate.add(column);
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
    /// `a` is the transpose of a whole panel.
    Transposed,
    Any,
}

/// `R` rows and `V` vectors of columns of a block, all in registers.
#[inline(always)]
unsafe fn tile<S: Lanes, const R: usize, const V: usize>(block: &Block, strides: Strides, row: usize) {
    let (a_row, a_column) = match strides {
        Strides::Panel => (WIDTH, 1),
        Strides::Transposed => (1, WIDTH),
        Strides::Any => (block.a_row, block.a_column),
    };
    unsafe {
        let c = block.c.add(row * block.c_row);
        let mut sums = [[S::splat(0.0); V]; R];
        let whole = block.c_columns >= V * LANES;
        match block.start {
            Start::Zero => {}
            Start::Row(row) => {
                for v in 0..V {
                    let x = S::load(row.add(v * LANES));
                    for sums in &mut sums {
                        sums[v] = x;
                    }
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
        let mut a = block.a.add(row * a_row);
        let mut b = block.b;
        for _ in 0..block.depth {
            let mut right = [S::splat(0.0); V];
            for (v, right) in right.iter_mut().enumerate() {
                *right = S::load(b.add(v * LANES));
            }
            for (r, sums) in sums.iter_mut().enumerate() {
                let left = S::splat(*a.add(r * a_row));
                for v in 0..V {
                    sums[v] = left.mul_add(right[v], sums[v]);
                }
            }
            a = a.add(a_column);
            b = b.add(block.b_row);
        }
        for (r, sums) in sums.iter().enumerate() {
            for (v, sum) in sums.iter().enumerate() {
                let offset = r * block.c_row + v * LANES;
                let sum = match block.end {
                    End::Nothing => *sum,
                    End::Relu => sum.relu(),
                    End::Gate(gate) => sum.where_positive(S::load(gate.add(row * block.c_row + offset))),
                };
                if whole {
                    sum.store(c.add(offset));
                } else {
                    sum.store_first(c.add(offset), LANES.min(block.c_columns - v * LANES));
                }
            }
        }
    }
}

/// All rows of `V` vectors of columns: tiles of `R` rows, then of four, then single rows.
#[inline(always)]
unsafe fn strip<S: Lanes, const R: usize, const V: usize>(block: &Block) {
    unsafe {
        match (block.a_row, block.a_column) {
            (WIDTH, 1) => tiles::<S, R, V>(block, Strides::Panel),
            (1, WIDTH) => tiles::<S, R, V>(block, Strides::Transposed),
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

/// `a · b`, from `row` (as long as the product's rows, filled up to whole lanes) or from zero.
fn product(level: Level, a: &Panels, b: &Panels, row: Option<&[f32]>, end: impl Fn(usize) -> End) -> Panels {
    assert_eq!(a.columns, b.rows);
    let mut c = Panels::take(a.rows, b.columns);
    assert!(row.is_none_or(|row| row.len() * a.rows == c.data.len()));
    let depths = a.columns.div_ceil(DEPTH);
    for (start, width) in cut(b.columns) {
        let gate = end(start * a.rows);
        for (i, (first, stride)) in cut(a.columns).enumerate() {
            run(
                level,
                &Block {
                    rows: a.rows,
                    depth: stride.min(a.columns - first),
                    width,
                    a: a.data[first * a.rows..].as_ptr(),
                    a_row: stride,
                    a_column: 1,
                    b: b.data[start * b.rows + first * width..].as_ptr(),
                    b_row: width,
                    c: c.data[start * a.rows..].as_mut_ptr(),
                    c_row: width,
                    c_columns: width,
                    start: match row {
                        _ if i > 0 => Start::Held,
                        Some(row) => Start::Row(row[start..].as_ptr()),
                        None => Start::Zero,
                    },
                    end: if i + 1 == depths { gate } else { End::Nothing },
                },
            );
        }
    }
    c
}

/// `y[batch, outputs] = x[batch, inputs] · wᵀ + b`, with `w[outputs, inputs]` as PyTorch lays it out; clamped to zero
/// from below if `relu`.
pub(crate) fn linear(x: &Panels, w: &[f32], b: &[f32], relu: bool) -> Panels {
    let mut row = b.to_vec();
    row.resize(b.len().next_multiple_of(LANES), 0.0);
    let w = Panels::from_columns(w, x.columns);
    product(Level::current(), x, &w, Some(&row), |_| if relu { End::Relu } else { End::Nothing })
}

/// The gradient of some columns of a linear layer's input: `dx[batch, inputs] = g[batch, outputs] · w[outputs, inputs]`,
/// zero where `gate`, these columns after their ReLU, is not positive. ReLU's derivative at 0 is 0, as in PyTorch.
pub(crate) fn linear_backward_input(
    g: &Panels,
    w: &[f32],
    columns: Range<usize>,
    gate: Option<&Panels>,
) -> Panels {
    let w = Panels::from_rows(w, w.len() / g.columns, columns);
    assert!(gate.is_none_or(|gate| (gate.rows, gate.columns) == (g.rows, w.columns)));
    product(Level::current(), g, &w, None, |offset| {
        gate.map_or(End::Nothing, |gate| End::Gate(gate.data[offset..].as_ptr()))
    })
}

/// The gradients of a linear layer's weight and bias: `dw[outputs, inputs] = gᵀ · x`, `db[outputs]` = column sums.
pub(crate) fn linear_backward_parameters(g: &Panels, x: &Panels, dw: &mut [f32], db: &mut [f32]) {
    db.fill(0.0);
    g.add_column_sums(db);
    transposed_product(Level::current(), g, x, dw);
}

/// `dw = gᵀ · x`, row-major.
fn transposed_product(level: Level, g: &Panels, x: &Panels, dw: &mut [f32]) {
    assert!(g.rows == x.rows && dw.len() == g.columns * x.columns);
    for (start, width) in cut(x.columns) {
        for sample in (0..x.rows).step_by(DEPTH) {
            for (first, stride) in cut(g.columns) {
                run(
                    level,
                    &Block {
                        rows: stride.min(g.columns - first),
                        depth: DEPTH.min(x.rows - sample),
                        width,
                        a: g.data[first * g.rows + sample * stride..].as_ptr(),
                        a_row: 1,
                        a_column: stride,
                        b: x.data[start * x.rows + sample * width..].as_ptr(),
                        b_row: width,
                        c: dw[first * x.columns + start..].as_mut_ptr(),
                        c_row: x.columns,
                        c_columns: width.min(x.columns - start),
                        start: if sample == 0 { Start::Zero } else { Start::Held },
                        end: End::Nothing,
                    },
                );
            }
        }
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

    fn rows_of(panels: &Panels) -> Vec<f32> {
        let mut rows = vec![f32::NAN; panels.rows * panels.columns];
        panels.write_rows(&mut rows);
        rows
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

    fn bits(values: &[f32]) -> Vec<u32> {
        values.iter().map(|x| x.to_bits()).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

        /// Every instruction set gives the bits of the plain sum in order, at every awkward size.
        #[test]
        fn products_are_sums_in_order_on_every_instruction_set(
            batch in 1usize..150, inputs in 1usize..150, outputs in 1usize..150, seed in 0u64..1000,
        ) {
            let stream = &mut Stream::new(seed, "test");
            let (x, w) = (matrix(stream, batch * inputs), matrix(stream, inputs * outputs));
            let (g, b) = (matrix(stream, batch * outputs), matrix(stream, outputs));
            let mut row = b.clone();
            row.resize(outputs.next_multiple_of(LANES), 0.0);
            let (xs, gs) = (Panels::beside(&[&x], batch), Panels::beside(&[&g], batch));
            let (wt, ws) = (Panels::from_columns(&w, inputs), Panels::from_rows(&w, inputs, 0..inputs));
            prop_assert_eq!(&rows_of(&xs), &x);
            let (x_at, w_at) = (|i, k| x[i * inputs + k], |o, i| w[o * inputs + i]);
            let forward = plain((batch, inputs, outputs), |j| b[j], x_at, |k, j| w_at(j, k));
            let dx = plain((batch, outputs, inputs), |_| 0.0, |i, k| g[i * outputs + k], w_at);
            let dw = plain((outputs, batch, inputs), |_| 0.0, |i, k| g[k * outputs + i], x_at);
            let gated: Vec<u32> =
                dx.iter().zip(&x).map(|(dx, x)| if *x > 0.0 { *dx } else { 0 }).collect();
            for level in Level::available() {
                let y = product(level, &xs, &wt, Some(&row), |_| End::Nothing);
                prop_assert_eq!(bits(&rows_of(&y)), forward.clone(), "forward, {:?}", level);
                let gate = |offset: usize| End::Gate(xs.data[offset..].as_ptr());
                let found = product(level, &gs, &ws, None, gate);
                prop_assert_eq!(bits(&rows_of(&found)), gated.clone(), "gradient of the input, {:?}", level);
                let mut found = vec![f32::NAN; dw.len()];
                transposed_product(level, &gs, &xs, &mut found);
                prop_assert_eq!(bits(&found), dw.clone(), "gradient of the weight, {:?}", level);
            }
        }
    }
}
