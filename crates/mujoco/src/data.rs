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

    /// `mj_step1`: computes what of a step does not depend on the controls.
    pub fn step1(&mut self) {
        self.call(self.model.library.step1);
    }

    /// `mj_step2`: the rest of a step, after [`Data::step1`] or [`Data::forward`].
    pub fn step2(&mut self) {
        self.call(self.model.library.step2);
    }

    /// `mj_rnePostConstraint`: computes `cfrc_ext`, which a step leaves as it was.
    pub fn rne_post_constraint(&mut self) {
        self.call(self.model.library.rne_post_constraint);
    }

    /// `mj_kinematics`: places bodies and sites by [`Data::qpos`].
    pub fn kinematics(&mut self) {
        self.call(self.model.library.kinematics);
    }

    /// `mj_comPos`: what [`Data::jac_site`] needs, after [`Data::kinematics`].
    pub fn com_pos(&mut self) {
        self.call(self.model.library.com_pos);
    }

    /// `mj_jacSite`: how the site moves with the joints: its position and then its rotation, `[6, nv]`.
    ///
    /// # Panics
    /// If there is no such site.
    #[must_use]
    pub fn jac_site(&self, site: usize) -> Vec<f64> {
        assert!(site < self.model.nsite(), "site {site} of {}", self.model.nsite());
        let nv = self.model.nv();
        let mut jacobian = vec![0.0; 6 * nv];
        let (position, rotation) = jacobian.split_at_mut(3 * nv);
        // SAFETY: both live, the site exists, and each part has the 3 nv entries that are written.
        unsafe {
            let (model, data) = (self.model.raw.as_ptr(), self.raw.as_ptr());
            let jac_site = self.model.library.jac_site;
            jac_site(model, data, position.as_mut_ptr(), rotation.as_mut_ptr(), site as std::ffi::c_int);
        }
        jacobian
    }

    /// `mj_integratePos`: moves [`Data::qpos`] by the velocity `qvel` for `dt` seconds.
    ///
    /// # Panics
    /// If `qvel` has not `nv` entries.
    pub fn integrate_pos(&mut self, qvel: &[f64], dt: f64) {
        assert_eq!(qvel.len(), self.model.nv(), "length of a velocity");
        let model = Arc::clone(&self.model);
        // SAFETY: the model lives; `qpos` has the nq entries that are written, `qvel` the nv that are read.
        unsafe {
            (model.library.integrate_pos)(
                model.raw.as_ptr(),
                self.qpos_mut().as_mut_ptr(),
                qvel.as_ptr(),
                dt,
            );
        }
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

    /// The model, to change it.
    ///
    /// # Panics
    /// If other simulations share it.
    pub fn model_mut(&mut self) -> &mut Model {
        #[expect(clippy::expect_used, reason = "who changes a model made it for one simulation")]
        Arc::get_mut(&mut self.model).expect("a model that one simulation has to itself")
    }

    /// Simulated seconds.
    #[must_use]
    pub fn time(&self) -> f64 {
        // SAFETY: the offset is that of a double in this version's `mjData`.
        unsafe { self.raw.byte_add(self.offsets().time).cast::<f64>().read() }
    }

    /// How many contacts there are.
    #[must_use]
    pub fn ncon(&self) -> usize {
        // SAFETY: the offset is that of an `int` in this version's `mjData`.
        let count = unsafe { self.raw.byte_add(self.offsets().ncon).cast::<std::ffi::c_int>().read() };
        usize::try_from(count).unwrap_or(0)
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

    /// Orientations of the bodies' frames, quaternions, `[nbody, 4]`.
    #[must_use]
    pub fn xquat(&self) -> &[f64] {
        self.array(self.offsets().xquat, 4 * self.model.nbody())
    }

    /// Orientations of the bodies' frames, matrices row by row, `[nbody, 9]`.
    #[must_use]
    pub fn xmat(&self) -> &[f64] {
        self.array(self.offsets().xmat, 9 * self.model.nbody())
    }

    /// Positions of the sites, `[nsite, 3]`.
    #[must_use]
    pub fn site_xpos(&self) -> &[f64] {
        self.array(self.offsets().site_xpos, 3 * self.model.nsite())
    }

    /// Orientations of the sites, matrices row by row, `[nsite, 9]`.
    #[must_use]
    pub fn site_xmat(&self) -> &[f64] {
        self.array(self.offsets().site_xmat, 9 * self.model.nsite())
    }

    /// `mju_mat2Quat` of the site's orientation: a quaternion.
    ///
    /// # Panics
    /// If there is no such site.
    #[must_use]
    pub fn site_quat(&self, site: usize) -> [f64; 4] {
        let matrix = &self.site_xmat()[9 * site..9 * (site + 1)];
        let mut quat = [0.0; 4];
        // SAFETY: it reads nine numbers and writes four.
        unsafe { (self.model.library.mat_to_quat)(quat.as_mut_ptr(), matrix.as_ptr()) };
        quat
    }

    /// What the sensors measured, `[nsensordata]`.
    #[must_use]
    pub fn sensordata(&self) -> &[f64] {
        self.array(self.offsets().sensordata, self.model.size(self.model.library.offsets.model.nsensordata))
    }

    /// Positions of the mocap bodies, `[nmocap, 3]`.
    #[must_use]
    pub fn mocap_pos(&self) -> &[f64] {
        self.array(self.offsets().mocap_pos, 3 * self.model.nmocap())
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

    /// Positions of the mocap bodies, to write.
    pub fn mocap_pos_mut(&mut self) -> &mut [f64] {
        self.array_mut(self.offsets().mocap_pos, 3 * self.model.nmocap())
    }

    /// Orientations of the mocap bodies, quaternions, `[nmocap, 4]`, to write.
    pub fn mocap_quat_mut(&mut self) -> &mut [f64] {
        self.array_mut(self.offsets().mocap_quat, 4 * self.model.nmocap())
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
