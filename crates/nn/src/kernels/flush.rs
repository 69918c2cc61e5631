//! Subnormal numbers, those nearer to zero than 1.2e-38, count as zero while a kernel runs.
//!
//! Gradients that pass several saturated units get that small, and processors take a hundred cycles and more for each
//! operation on such a number: training on offline data slowed down to a third within 40,000 updates. A number that
//! small changes no parameter. The mode is the thread's, so it holds within kernels alone: simulators keep theirs, and
//! stay what the Python packages are to the last bit.

/// While it lives, operations of this thread take subnormal numbers for zero, and give zero instead of them.
pub(super) struct Flush {
    before: Control,
}

#[cfg(target_arch = "aarch64")]
type Control = u64;
#[cfg(not(target_arch = "aarch64"))]
type Control = u32;

impl Flush {
    pub(super) fn new() -> Self {
        let before = read();
        // x86: MXCSR's "flush to zero" and "denormals are zeros". ARM: FPCR's FZ, which is both.
        write(before | if cfg!(target_arch = "aarch64") { 1 << 24 } else { 0x8040 });
        Self { before }
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        write(self.before);
    }
}

// SAFETY of the blocks below: they touch the float control register alone, whose exceptions stay masked and whose rounding
// stays as it is. The compiler, which assumes the default mode, may move arithmetic over them, and whatever it moves may
// then flush or not: kernels do not care.

#[cfg(target_arch = "x86_64")]
fn read() -> Control {
    let mut control = 0;
    unsafe { std::arch::asm!("stmxcsr [{}]", in(reg) &raw mut control, options(nostack, preserves_flags)) };
    control
}

#[cfg(target_arch = "x86_64")]
fn write(control: Control) {
    unsafe { std::arch::asm!("ldmxcsr [{}]", in(reg) &raw const control, options(nostack, preserves_flags)) };
}

#[cfg(target_arch = "aarch64")]
fn read() -> Control {
    let control;
    unsafe { std::arch::asm!("mrs {}, fpcr", out(reg) control, options(nostack, preserves_flags)) };
    control
}

#[cfg(target_arch = "aarch64")]
fn write(control: Control) {
    unsafe { std::arch::asm!("msr fpcr, {}", in(reg) control, options(nostack, preserves_flags)) };
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn read() -> Control {
    0
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn write(_: Control) {}

#[cfg(all(test, any(target_arch = "x86_64", target_arch = "aarch64")))]
mod tests {
    use super::Flush;
    use std::hint::black_box;

    #[inline(never)]
    fn half(x: f32) -> f32 {
        black_box(x) * 0.5
    }

    #[test]
    fn subnormal_numbers_are_zero_while_it_lives_and_no_longer() {
        let subnormal = half(f32::MIN_POSITIVE);
        assert!(subnormal > 0.0);
        let outer = Flush::new();
        {
            let _inner = Flush::new();
            assert_eq!(half(f32::MIN_POSITIVE).to_bits(), 0);
            assert_eq!((black_box(subnormal) * 1e30).to_bits(), 0);
            assert_eq!(half(-f32::MIN_POSITIVE).to_bits(), (-0f32).to_bits());
            assert_eq!(half(2.0 * f32::MIN_POSITIVE), f32::MIN_POSITIVE);
        }
        assert_eq!(half(f32::MIN_POSITIVE), 0.0);
        drop(outer);
        assert_eq!(half(f32::MIN_POSITIVE), subnormal);
    }
}
