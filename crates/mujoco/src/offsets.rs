//! Where the fields of `mjModel` and `mjData` lie, by MuJoCo version.
//!
//! They move in nearly every release, so a row is chosen by `mj_version()` and an unknown version is refused. The
//! rows are printed by `offsets/generate.py` from the headers in a version's wheel.

/// One MuJoCo version's layout. Offsets are in bytes.
#[derive(Debug)]
pub(crate) struct Offsets {
    /// As `mj_version()` gives it: 327 for 3.2.7 (and 3005000 for 3.5.0, where the format changed).
    pub(crate) version: i32,
    /// `mjOBJ_BODY`.
    pub(crate) body_object: i32,
    /// `mjOBJ_JOINT`.
    pub(crate) joint_object: i32,
    /// `mjOBJ_SITE`.
    pub(crate) site_object: i32,
    /// `mjOBJ_ACTUATOR`.
    pub(crate) actuator_object: i32,
    /// `mjNGAIN`, and `mjNBIAS` too: parameters of an actuator's gain.
    pub(crate) actuator_parameters: usize,
    /// `mjSTATE_INTEGRATION`: all that decides what comes next.
    pub(crate) integration_state: u32,
    pub(crate) model: ModelOffsets,
    pub(crate) data: DataOffsets,
}

/// Fields of `mjModel`.
#[derive(Debug)]
pub(crate) struct ModelOffsets {
    pub(crate) nq: usize,
    pub(crate) nv: usize,
    pub(crate) nu: usize,
    pub(crate) nbody: usize,
    pub(crate) njnt: usize,
    pub(crate) nsite: usize,
    pub(crate) nmocap: usize,
    pub(crate) nsensordata: usize,
    pub(crate) timestep: usize,
    pub(crate) qpos0: usize,
    pub(crate) body_pos: usize,
    pub(crate) body_quat: usize,
    pub(crate) body_mass: usize,
    pub(crate) jnt_qposadr: usize,
    pub(crate) jnt_range: usize,
    pub(crate) dof_damping: usize,
    pub(crate) site_pos: usize,
    pub(crate) actuator_gainprm: usize,
    pub(crate) actuator_biasprm: usize,
    pub(crate) actuator_ctrlrange: usize,
}

/// Fields of `mjData`.
#[derive(Debug)]
pub(crate) struct DataOffsets {
    pub(crate) ncon: usize,
    pub(crate) time: usize,
    pub(crate) qpos: usize,
    pub(crate) qvel: usize,
    pub(crate) ctrl: usize,
    pub(crate) mocap_pos: usize,
    pub(crate) mocap_quat: usize,
    pub(crate) sensordata: usize,
    pub(crate) xpos: usize,
    pub(crate) xquat: usize,
    pub(crate) xmat: usize,
    pub(crate) xipos: usize,
    pub(crate) site_xpos: usize,
    pub(crate) site_xmat: usize,
    pub(crate) cinert: usize,
    pub(crate) cvel: usize,
    pub(crate) qfrc_actuator: usize,
    pub(crate) cfrc_ext: usize,
}

/// The versions that we know.
pub(crate) const ROWS: &[Offsets] = &[Offsets {
    version: 327,
    body_object: 1,
    joint_object: 3,
    site_object: 6,
    actuator_object: 19,
    actuator_parameters: 10,
    integration_state: 8191,
    model: ModelOffsets {
        nq: 0,
        nv: 4,
        nu: 8,
        nbody: 16,
        njnt: 32,
        nsite: 40,
        nmocap: 208,
        nsensordata: 308,
        timestep: 336,
        qpos0: 1336,
        body_pos: 1456,
        body_quat: 1464,
        body_mass: 1488,
        jnt_qposadr: 1624,
        jnt_range: 1720,
        dof_damping: 1832,
        site_pos: 2104,
        actuator_gainprm: 3800,
        actuator_biasprm: 3808,
        actuator_ctrlrange: 3824,
    },
    data: DataOffsets {
        ncon: 161584,
        time: 161616,
        qpos: 161656,
        qvel: 161664,
        ctrl: 161696,
        mocap_pos: 161728,
        mocap_quat: 161736,
        sensordata: 161768,
        xpos: 161792,
        xquat: 161800,
        xmat: 161808,
        xipos: 161816,
        site_xpos: 161864,
        site_xmat: 161872,
        cinert: 161928,
        cvel: 162176,
        qfrc_actuator: 162400,
        cfrc_ext: 162456,
    },
}];

/// The row of a version, if we know it.
pub(crate) fn of_version(version: i32) -> Option<&'static Offsets> {
    ROWS.iter().find(|row| row.version == version)
}

/// `327` is `3.2.7` and `3005000` is `3.5.0`.
pub(crate) fn version_name(version: i32) -> String {
    let (major, minor, patch) = if version < 1000 {
        (version / 100, version / 10 % 10, version % 10)
    } else {
        (version / 1_000_000, version / 1000 % 1000, version % 1000)
    };
    format!("{major}.{minor}.{patch}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_number_is_read_in_both_of_its_forms() {
        assert_eq!(version_name(327), "3.2.7");
        assert_eq!(version_name(3_005_000), "3.5.0");
        assert_eq!(version_name(3_017_001), "3.17.1");
    }

    #[test]
    fn only_known_versions_have_a_row() {
        assert!(of_version(327).is_some());
        assert!(of_version(337).is_none());
    }
}
