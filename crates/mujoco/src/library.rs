//! The shared library: opened once, with MuJoCo's two handlers installed before anything else.

use crate::install::{self, Setup};
use crate::offsets::{self, Offsets};
use anyhow::Result;
use diagnostics::BadInput;
use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

/// `mjModel` and `mjData`, which only the library looks into.
pub(crate) type RawModel = c_void;
pub(crate) type RawData = c_void;

/// libmujoco, with the few functions of it that we call.
pub struct Library {
    pub(crate) offsets: &'static Offsets,
    pub(crate) load_xml:
        unsafe extern "C" fn(*const c_char, *const c_void, *mut c_char, c_int) -> *mut RawModel,
    pub(crate) delete_model: unsafe extern "C" fn(*mut RawModel),
    pub(crate) name_to_id: unsafe extern "C" fn(*const RawModel, c_int, *const c_char) -> c_int,
    pub(crate) make_data: unsafe extern "C" fn(*const RawModel) -> *mut RawData,
    pub(crate) delete_data: unsafe extern "C" fn(*mut RawData),
    pub(crate) reset_data: unsafe extern "C" fn(*const RawModel, *mut RawData),
    pub(crate) forward: unsafe extern "C" fn(*const RawModel, *mut RawData),
    pub(crate) step: unsafe extern "C" fn(*const RawModel, *mut RawData),
    pub(crate) step1: unsafe extern "C" fn(*const RawModel, *mut RawData),
    pub(crate) step2: unsafe extern "C" fn(*const RawModel, *mut RawData),
    pub(crate) state_size: unsafe extern "C" fn(*const RawModel, c_uint) -> c_int,
    pub(crate) get_state: unsafe extern "C" fn(*const RawModel, *const RawData, *mut f64, c_uint),
    pub(crate) set_state: unsafe extern "C" fn(*const RawModel, *mut RawData, *const f64, c_uint),
    pub(crate) rne_post_constraint: unsafe extern "C" fn(*const RawModel, *mut RawData),
    pub(crate) kinematics: unsafe extern "C" fn(*const RawModel, *mut RawData),
    pub(crate) com_pos: unsafe extern "C" fn(*const RawModel, *mut RawData),
    pub(crate) jac_site: unsafe extern "C" fn(*const RawModel, *const RawData, *mut f64, *mut f64, c_int),
    pub(crate) integrate_pos: unsafe extern "C" fn(*const RawModel, *mut f64, *const f64, f64),
    pub(crate) mat_to_quat: unsafe extern "C" fn(*mut f64, *const f64),
}

impl Library {
    /// The process's library, found or fetched at the first call.
    ///
    /// # Errors
    /// [`BadInput`] with the remedy when it cannot be had.
    pub fn get() -> Result<&'static Library> {
        static LIBRARY: OnceLock<&'static Library> = OnceLock::new();
        static FIRST: Mutex<()> = Mutex::new(());
        // One thread fetches and opens; a failure is not remembered, so that a later call may do better.
        let _guard = FIRST.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(library) = LIBRARY.get() {
            return Ok(library);
        }
        let library = Self::open(&install::library(&Setup::from_process())?)?;
        Ok(LIBRARY.get_or_init(|| library))
    }

    /// Opens the library at `path`, for good: models and data call into it, so it is never closed.
    ///
    /// # Errors
    /// [`BadInput`] when the file is no libmujoco, is of a version that we do not know, or cannot run here.
    pub(crate) fn open(path: &Path) -> Result<&'static Library> {
        #[cfg(target_arch = "x86_64")]
        if !std::arch::is_x86_feature_detected!("avx") {
            return Err(BadInput::new("this processor has no AVX, which libmujoco is built with")
                .help("build libmujoco 3.2.7 without it and set REPRISE_MUJOCO_LIB to its path")
                .into());
        }
        let wrong = |error: libloading::Error| {
            // The loader's own words are the error's source.
            let why = anyhow::Error::from(error);
            BadInput::new(format!("{} is not a usable libmujoco: {why:#}", path.display()))
                .help("expected `libmujoco.so.3.2.7` for this processor; see REPRISE_MUJOCO_LIB")
        };
        // SAFETY: opening runs the file's initialisers. It is the pinned library or one that the user named.
        let opened = unsafe { libloading::Library::new(path) }.map_err(wrong)?;
        let opened: &'static libloading::Library = Box::leak(Box::new(opened));

        // SAFETY: `int mj_version(void)` in every version of mujoco.h.
        let version = unsafe {
            let version = opened.get::<unsafe extern "C" fn() -> c_int>(b"mj_version\0").map_err(wrong)?;
            version()
        };
        let Some(offsets) = offsets::of_version(version) else {
            let known: Vec<_> = offsets::ROWS.iter().map(|row| offsets::version_name(row.version)).collect();
            return Err(BadInput::new(format!(
                "{} is MuJoCo {}: expected {}",
                path.display(),
                offsets::version_name(version),
                known.join(" or ")
            ))
            .help("from 3.5.0 on its contacts differ from every paper's; unset REPRISE_MUJOCO_LIB to fetch 3.2.7")
            .into());
        };

        // SAFETY: both are exported variables of type `void (*)(const char*)`; they are written before any call
        // that reads them, and every thread writes the same values.
        unsafe {
            type Handler = Option<unsafe extern "C" fn(*const c_char)>;
            let error = opened.get::<*mut Handler>(b"mju_user_error\0").map_err(wrong)?;
            let warning = opened.get::<*mut Handler>(b"mju_user_warning\0").map_err(wrong)?;
            **error = Some(on_error);
            **warning = Some(on_warning);
        }

        // SAFETY: the types are those of mujoco.h in the versions of `offsets::ROWS`.
        unsafe {
            Ok(Box::leak(Box::new(Library {
                offsets,
                load_xml: *opened.get(b"mj_loadXML\0").map_err(wrong)?,
                delete_model: *opened.get(b"mj_deleteModel\0").map_err(wrong)?,
                name_to_id: *opened.get(b"mj_name2id\0").map_err(wrong)?,
                make_data: *opened.get(b"mj_makeData\0").map_err(wrong)?,
                delete_data: *opened.get(b"mj_deleteData\0").map_err(wrong)?,
                reset_data: *opened.get(b"mj_resetData\0").map_err(wrong)?,
                forward: *opened.get(b"mj_forward\0").map_err(wrong)?,
                step: *opened.get(b"mj_step\0").map_err(wrong)?,
                step1: *opened.get(b"mj_step1\0").map_err(wrong)?,
                step2: *opened.get(b"mj_step2\0").map_err(wrong)?,
                state_size: *opened.get(b"mj_stateSize\0").map_err(wrong)?,
                get_state: *opened.get(b"mj_getState\0").map_err(wrong)?,
                set_state: *opened.get(b"mj_setState\0").map_err(wrong)?,
                rne_post_constraint: *opened.get(b"mj_rnePostConstraint\0").map_err(wrong)?,
                kinematics: *opened.get(b"mj_kinematics\0").map_err(wrong)?,
                com_pos: *opened.get(b"mj_comPos\0").map_err(wrong)?,
                jac_site: *opened.get(b"mj_jacSite\0").map_err(wrong)?,
                integrate_pos: *opened.get(b"mj_integratePos\0").map_err(wrong)?,
                mat_to_quat: *opened.get(b"mju_mat2Quat\0").map_err(wrong)?,
            })))
        }
    }

    /// `3.2.7`.
    #[must_use]
    pub fn version_name(&self) -> String {
        offsets::version_name(self.offsets.version)
    }
}

/// What MuJoCo has warned of in this process, such as a simulation that became unstable and was set back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Warnings {
    /// How many there were.
    pub count: u64,
    /// The last one's text.
    pub last: Option<String>,
}

static WARNINGS: Mutex<Warnings> = Mutex::new(Warnings { count: 0, last: None });

/// The warnings so far.
#[must_use]
pub fn warnings() -> Warnings {
    WARNINGS.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Without a handler MuJoCo would write `MUJOCO_LOG.TXT` into the user's working directory.
unsafe extern "C" fn on_warning(message: *const c_char) {
    // SAFETY: MuJoCo passes a string that ends in NUL.
    let message = unsafe { CStr::from_ptr(message) }.to_string_lossy().into_owned();
    let mut warnings = WARNINGS.lock().unwrap_or_else(PoisonError::into_inner);
    warnings.count += 1;
    warnings.last = Some(message);
}

/// MuJoCo's state is lost after an error: a handler must neither return nor unwind into it.
unsafe extern "C" fn on_error(message: *const c_char) {
    // SAFETY: MuJoCo passes a string that ends in NUL.
    let message = unsafe { CStr::from_ptr(message) }.to_string_lossy();
    let _ = writeln!(std::io::stderr(), "mujoco cannot go on: {message}");
    std::process::abort();
}
