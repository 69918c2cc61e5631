//! `mjData`: the state of one simulation and all that is computed from it.

use crate::library::RawData;
use crate::model::{Model, slice};
use crate::offsets::DataOffsets;
use anyhow::{Context, Result};
use std::ptr::NonNull;
use std::sync::Arc;

/// One simulation of a [`Model`]. A thread may take it over, but two cannot use it at once.
pub struct Data {
    raw: NonNull<RawData>,
    model: Arc<Model>,
}

// SAFETY: `mjData` belongs to no thread; `&mut` on all that writes keeps two threads apart.
unsafe impl Send for Data {}

impl Data {
    /// A simulation at the model's reference pose.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn new(model: &Arc<Model>) -> Result<Self> {
        // SAFETY: the model lives.
        let raw = unsafe { (model.library.make_data)(model.raw.as_ptr()) };
        let raw = NonNull::new(raw).context("MuJoCo has no memory for a simulation")?;
        Ok(Self { raw, model: Arc::clone(model) })
    }

    /// What is simulated.
    #[must_use]
    pub fn model(&self) -> &Arc<Model> {
        &self.model
    }

    /// `mj_resetData`: the reference pose at rest, at time 0, with no memory of what was.
    pub fn reset(&mut self) {
        self.call(self.model.library.reset_data);
    }

    /// `mj_forward`: computes everything from the state, without advancing it.
    pub fn forward(&mut self) {
        self.call(self.model.library.forward);
    }

    /// `mj_step`, `count` times.
    pub fn step(&mut self, count: u32) {
        for _ in 0..count {
            self.call(self.model.library.step);
        }
    }

    /// `mj_rnePostConstraint`: computes `cfrc_ext`, which a step leaves as it was.
    pub fn rne_post_constraint(&mut self) {
        self.call(self.model.library.rne_post_constraint);
    }

    /// `mj_getState` of `mjSTATE_INTEGRATION`: all that decides what a step computes, the solver's memory of the last
    /// step included. What is computed from it, such as [`Data::xpos`], is not.
    #[must_use]
    pub fn state(&self) -> Vec<f64> {
        let mut state = vec![0.0; self.state_size()];
        let spec = self.model.library.offsets.integration_state;
        // SAFETY: both live, and `state` has the length that the library says it writes.
        unsafe {
            let get = self.model.library.get_state;
            get(self.model.raw.as_ptr(), self.raw.as_ptr(), state.as_mut_ptr(), spec);
        }
        state
    }

    /// Takes up what [`Data::state`] gave for the same model. Computes nothing.
    ///
    /// # Panics
    /// If the length is another.
    pub fn set_state(&mut self, state: &[f64]) {
        assert_eq!(state.len(), self.state_size(), "length of a simulation's state");
        let spec = self.model.library.offsets.integration_state;
        // SAFETY: both live, `&mut self` means that no slice is held, and `state` has the length that is read.
        unsafe {
            let set = self.model.library.set_state;
            set(self.model.raw.as_ptr(), self.raw.as_ptr(), state.as_ptr(), spec);
        }
    }

    /// Length of [`Data::state`].
    #[must_use]
    pub fn state_size(&self) -> usize {
        let spec = self.model.library.offsets.integration_state;
        // SAFETY: the model lives.
        let size = unsafe { (self.model.library.state_size)(self.model.raw.as_ptr(), spec) };
        usize::try_from(size).unwrap_or(0)
    }

    /// Simulated seconds.
    #[must_use]
    pub fn time(&self) -> f64 {
        // SAFETY: the offset is that of a double in this version's `mjData`.
        unsafe { self.raw.byte_add(self.offsets().time).cast::<f64>().read() }
    }

    /// Generalised coordinates, `[nq]`.
    #[must_use]
    pub fn qpos(&self) -> &[f64] {
        self.array(self.offsets().qpos, self.model.nq())
    }

    /// Generalised velocities, `[nv]`.
    #[must_use]
    pub fn qvel(&self) -> &[f64] {
        self.array(self.offsets().qvel, self.model.nv())
    }

    /// Controls, `[nu]`, as they were set: MuJoCo clamps a copy.
    #[must_use]
    pub fn ctrl(&self) -> &[f64] {
        self.array(self.offsets().ctrl, self.model.nu())
    }

    /// Positions of the bodies' frames, `[nbody, 3]`.
    #[must_use]
    pub fn xpos(&self) -> &[f64] {
        self.array(self.offsets().xpos, 3 * self.model.nbody())
    }

    /// Positions of the bodies' centres of mass, `[nbody, 3]`.
    #[must_use]
    pub fn xipos(&self) -> &[f64] {
        self.array(self.offsets().xipos, 3 * self.model.nbody())
    }

    /// Inertias about the centre of mass, `[nbody, 10]`.
    #[must_use]
    pub fn cinert(&self) -> &[f64] {
        self.array(self.offsets().cinert, 10 * self.model.nbody())
    }

    /// Velocities about the centre of mass, `[nbody, 6]`.
    #[must_use]
    pub fn cvel(&self) -> &[f64] {
        self.array(self.offsets().cvel, 6 * self.model.nbody())
    }

    /// Forces of the actuators in generalised coordinates, `[nv]`.
    #[must_use]
    pub fn qfrc_actuator(&self) -> &[f64] {
        self.array(self.offsets().qfrc_actuator, self.model.nv())
    }

    /// Contact forces on the bodies, `[nbody, 6]`; see [`Data::rne_post_constraint`].
    #[must_use]
    pub fn cfrc_ext(&self) -> &[f64] {
        self.array(self.offsets().cfrc_ext, 6 * self.model.nbody())
    }

    /// Generalised coordinates, to write.
    pub fn qpos_mut(&mut self) -> &mut [f64] {
        self.array_mut(self.offsets().qpos, self.model.nq())
    }

    /// Generalised velocities, to write.
    pub fn qvel_mut(&mut self) -> &mut [f64] {
        self.array_mut(self.offsets().qvel, self.model.nv())
    }

    /// Controls, to write.
    pub fn ctrl_mut(&mut self) -> &mut [f64] {
        self.array_mut(self.offsets().ctrl, self.model.nu())
    }

    fn offsets(&self) -> &'static DataOffsets {
        &self.model.library.offsets.data
    }

    fn call(&mut self, function: unsafe extern "C" fn(*const std::ffi::c_void, *mut RawData)) {
        // SAFETY: the data was made for this model, both live, and `&mut self` means that no slice of it is held.
        unsafe { function(self.model.raw.as_ptr(), self.raw.as_ptr()) }
    }

    fn array(&self, offset: usize, len: usize) -> &[f64] {
        // SAFETY: at the offset lies a pointer to `len` doubles of the buffer, which stays in place as long as the
        // data lives; whatever writes to it takes `&mut self`.
        unsafe {
            let start = self.raw.byte_add(offset).cast::<*const f64>().read();
            slice(start, len)
        }
    }

    fn array_mut(&mut self, offset: usize, len: usize) -> &mut [f64] {
        if len == 0 {
            return &mut [];
        }
        // SAFETY: as in `array`, and `&mut self` makes this the only slice.
        unsafe {
            let start = self.raw.byte_add(offset).cast::<*mut f64>().read();
            std::slice::from_raw_parts_mut(start, len)
        }
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        // SAFETY: made by `mj_makeData` and deleted once; its model is dropped after it.
        unsafe { (self.model.library.delete_data)(self.raw.as_ptr()) }
    }
}
