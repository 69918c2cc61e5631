//! `mjModel`: a compiled model, which does not change.

use crate::library::{Library, RawModel};
use anyhow::Result;
use diagnostics::BadInput;
use std::ffi::{CStr, CString, c_char};
use std::io::Write;
use std::path::Path;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, PoisonError};

/// A compiled model. It is written to through `&mut` only, so threads may share it.
pub struct Model {
    pub(crate) library: &'static Library,
    pub(crate) raw: NonNull<RawModel>,
    nq: usize,
    nv: usize,
    nu: usize,
    nbody: usize,
    nsite: usize,
    nmocap: usize,
}

// SAFETY: MuJoCo's functions take `const mjModel*` and keep no thread-local state about it; this type only reads.
unsafe impl Send for Model {}
// SAFETY: as above.
unsafe impl Sync for Model {}

impl Model {
    /// Compiles the model file at `path`.
    ///
    /// # Errors
    /// [`BadInput`] when libmujoco cannot be had, or with MuJoCo's own message when it cannot compile the file.
    pub fn load_xml(path: &Path) -> Result<Arc<Model>> {
        let library = Library::get()?;
        if !path.is_file() {
            return Err(BadInput::new(format!("model file {} does not exist", path.display()))
                .help(
                    "expected Gymnasium 1.4.0's model files; see REPRISE_ASSETS, or remove that cache folder",
                )
                .into());
        }
        Self::compile(library, path).map_err(|message| {
            BadInput::new(format!("MuJoCo cannot compile {}: {message}", path.display()))
                .help("expected one of Gymnasium 1.4.0's model files; see REPRISE_ASSETS")
                .into()
        })
    }

    /// Compiles the model that is composed of the parts in `source`. Files that it names are named by absolute paths.
    ///
    /// # Errors
    /// [`BadInput`] as [`Model::load_xml`].
    pub fn from_xml(xml: &str, source: &Path) -> Result<Arc<Model>> {
        let library = Library::get()?;
        let mut file = tempfile::Builder::new().suffix(".xml").tempfile()?;
        file.write_all(xml.as_bytes())?;
        Self::compile(library, file.path()).map_err(|message| {
            let source = source.display();
            BadInput::new(format!("MuJoCo cannot compile the model made of parts in {source}: {message}"))
                .help("remove that folder, and the next run fetches it again; or see REPRISE_D4RL and REPRISE_OGBENCH")
                .into()
        })
    }

    fn compile(library: &'static Library, path: &Path) -> Result<Arc<Model>, String> {
        let name = CString::new(path.as_os_str().as_encoded_bytes())
            .map_err(|_| "its path holds a NUL byte".to_owned())?;
        let mut message = [0 as c_char; 1024];
        let raw = {
            // The compiler keeps the last model in a global.
            static COMPILER: Mutex<()> = Mutex::new(());
            let _guard = COMPILER.lock().unwrap_or_else(PoisonError::into_inner);
            // SAFETY: `name` ends in NUL, no virtual file system is given, and `message` has the length that is said.
            unsafe {
                (library.load_xml)(
                    name.as_ptr(),
                    std::ptr::null(),
                    message.as_mut_ptr(),
                    message.len() as std::ffi::c_int,
                )
            }
        };
        let Some(raw) = NonNull::new(raw) else {
            // SAFETY: MuJoCo writes a string that ends in NUL, within the length; if it wrote nothing it is empty.
            let message = unsafe { CStr::from_ptr(message.as_ptr()) }.to_string_lossy();
            return Err(message.replace('\n', " ").trim().to_owned());
        };
        let offsets = &library.offsets.model;
        let mut model = Model { library, raw, nq: 0, nv: 0, nu: 0, nbody: 0, nsite: 0, nmocap: 0 };
        (model.nq, model.nv) = (model.size(offsets.nq), model.size(offsets.nv));
        (model.nu, model.nbody) = (model.size(offsets.nu), model.size(offsets.nbody));
        (model.nsite, model.nmocap) = (model.size(offsets.nsite), model.size(offsets.nmocap));
        Ok(Arc::new(model))
    }

    /// Number of generalised coordinates.
    #[must_use]
    pub fn nq(&self) -> usize {
        self.nq
    }

    /// Number of degrees of freedom.
    #[must_use]
    pub fn nv(&self) -> usize {
        self.nv
    }

    /// Number of actuators.
    #[must_use]
    pub fn nu(&self) -> usize {
        self.nu
    }

    /// Number of bodies, with the world.
    #[must_use]
    pub fn nbody(&self) -> usize {
        self.nbody
    }

    /// Number of sites.
    #[must_use]
    pub fn nsite(&self) -> usize {
        self.nsite
    }

    /// Number of mocap bodies.
    #[must_use]
    pub fn nmocap(&self) -> usize {
        self.nmocap
    }

    /// Seconds that one `mj_step` advances.
    #[must_use]
    pub fn timestep(&self) -> f64 {
        // SAFETY: the offset is that of a double in this version's `mjModel`.
        unsafe { self.raw.byte_add(self.library.offsets.model.timestep).cast::<f64>().read() }
    }

    /// The reference pose, `[nq]`.
    #[must_use]
    pub fn qpos0(&self) -> &[f64] {
        self.array(self.library.offsets.model.qpos0, self.nq)
    }

    /// Masses of the bodies, `[nbody]`.
    #[must_use]
    pub fn body_mass(&self) -> &[f64] {
        self.array(self.library.offsets.model.body_mass, self.nbody)
    }

    /// Lowest and highest coordinate of each joint, `[njnt, 2]`.
    #[must_use]
    pub fn jnt_range(&self) -> &[f64] {
        self.array(self.library.offsets.model.jnt_range, 2 * self.size(self.library.offsets.model.njnt))
    }

    /// Lowest and highest control of each actuator, `[nu, 2]`.
    #[must_use]
    pub fn actuator_ctrlrange(&self) -> &[f64] {
        self.array(self.library.offsets.model.actuator_ctrlrange, 2 * self.nu)
    }

    /// Positions of the bodies in their parents' frames, `[nbody, 3]`, to write.
    pub fn body_pos_mut(&mut self) -> &mut [f64] {
        self.array_mut(self.library.offsets.model.body_pos, 3 * self.nbody)
    }

    /// Orientations of the bodies in their parents' frames, quaternions, `[nbody, 4]`, to write.
    pub fn body_quat_mut(&mut self) -> &mut [f64] {
        self.array_mut(self.library.offsets.model.body_quat, 4 * self.nbody)
    }

    /// Positions of the sites in their bodies' frames, `[nsite, 3]`, to write.
    pub fn site_pos_mut(&mut self) -> &mut [f64] {
        self.array_mut(self.library.offsets.model.site_pos, 3 * self.nsite)
    }

    /// Damping of each degree of freedom, `[nv]`, to write.
    pub fn dof_damping_mut(&mut self) -> &mut [f64] {
        self.array_mut(self.library.offsets.model.dof_damping, self.nv)
    }

    /// Parameters of the gain of the actuator with this index, to write.
    ///
    /// # Panics
    /// If there is no such actuator.
    pub fn actuator_gain_mut(&mut self, actuator: usize) -> &mut [f64] {
        let n = self.library.offsets.actuator_parameters;
        let all = self.array_mut(self.library.offsets.model.actuator_gainprm, n * self.nu);
        &mut all[n * actuator..n * (actuator + 1)]
    }

    /// Parameters of the bias of the actuator with this index, to write.
    ///
    /// # Panics
    /// If there is no such actuator.
    pub fn actuator_bias_mut(&mut self, actuator: usize) -> &mut [f64] {
        let n = self.library.offsets.actuator_parameters;
        let all = self.array_mut(self.library.offsets.model.actuator_biasprm, n * self.nu);
        &mut all[n * actuator..n * (actuator + 1)]
    }

    /// The index of the body `name`, if there is one.
    #[must_use]
    pub fn body_id(&self, name: &str) -> Option<usize> {
        self.id(self.library.offsets.body_object, name)
    }

    /// The index of the site `name`, if there is one.
    #[must_use]
    pub fn site_id(&self, name: &str) -> Option<usize> {
        self.id(self.library.offsets.site_object, name)
    }

    /// The index of the actuator `name`, if there is one.
    #[must_use]
    pub fn actuator_id(&self, name: &str) -> Option<usize> {
        self.id(self.library.offsets.actuator_object, name)
    }

    /// Where the coordinates of the joint `name` begin in `qpos`, if there is one.
    #[must_use]
    pub fn joint_qpos(&self, name: &str) -> Option<usize> {
        let joint = self.id(self.library.offsets.joint_object, name)?;
        // SAFETY: at the offset lies a pointer to an `int` a joint, and the joint exists.
        let address = unsafe {
            let start = self.raw.byte_add(self.library.offsets.model.jnt_qposadr);
            start.cast::<*const i32>().read().add(joint).read()
        };
        usize::try_from(address).ok()
    }

    fn id(&self, kind: i32, name: &str) -> Option<usize> {
        let name = CString::new(name).ok()?;
        // SAFETY: the model lives, and `name` ends in NUL.
        let id = unsafe { (self.library.name_to_id)(self.raw.as_ptr(), kind, name.as_ptr()) };
        usize::try_from(id).ok()
    }

    pub(crate) fn size(&self, offset: usize) -> usize {
        // SAFETY: the offset is that of an `int` in this version's `mjModel`.
        let size = unsafe { self.raw.byte_add(offset).cast::<i32>().read() };
        usize::try_from(size).unwrap_or(0)
    }

    fn array(&self, offset: usize, len: usize) -> &[f64] {
        // SAFETY: at the offset lies a pointer to `len` doubles, which live and stay as long as the model.
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

/// A slice of MuJoCo's memory; an empty array has a null pointer there.
///
/// # Safety
/// `start` points to `len` doubles that live and are not written to for `'a`, or `len` is 0.
pub(crate) unsafe fn slice<'a>(start: *const f64, len: usize) -> &'a [f64] {
    if len == 0 {
        return &[];
    }
    // SAFETY: the caller's promise.
    unsafe { std::slice::from_raw_parts(start, len) }
}

impl Drop for Model {
    fn drop(&mut self) {
        // SAFETY: every `Data` holds an `Arc` of its model, so nothing refers to it any more.
        unsafe { (self.library.delete_model)(self.raw.as_ptr()) }
    }
}
