//! The library itself. These need libmujoco: the first run fetches it, and without a network they fail with the
//! message that says what to put where.

#![expect(clippy::unwrap_used, reason = "a helper's failure is the test's")]

use diagnostics::BadInput;
use mujoco::install::{self, Setup};
use mujoco::{Data, Library, Model, doctor, warnings};
use std::path::Path;
use std::sync::Arc;

fn pendulum() -> Arc<Model> {
    let folder = install::assets(&Setup::from_process()).unwrap();
    Model::load_xml(&folder.join("inverted_pendulum.xml")).unwrap()
}

#[test]
fn the_fields_are_where_the_table_says() {
    let model = pendulum();
    assert_eq!((model.nq(), model.nv(), model.nu(), model.nbody()), (2, 2, 1, 3));
    assert_eq!(model.timestep(), 0.02);
    assert_eq!(model.qpos0(), [0.0, 0.0]);
    assert_eq!(model.actuator_ctrlrange(), [-3.0, 3.0]);
    assert_eq!(model.body_mass()[0], 0.0);
    assert_eq!(
        (model.body_id("cart"), model.body_id("pole"), model.body_id("wheel")),
        (Some(1), Some(2), None)
    );

    let mut data = Data::new(&model).unwrap();
    data.qpos_mut()[0] = 0.5;
    data.forward();
    assert_eq!(data.xpos(), [0.0, 0.0, 0.0, 0.5, 0.0, 0.0, 0.5, 0.0, 0.0]);
    data.ctrl_mut()[0] = 7.0;
    data.step(3);
    data.rne_post_constraint();
    assert!((data.time() - 0.06).abs() < 1e-12);
    assert_eq!(data.ctrl(), [7.0]);
    // Gear 100, and the control clamped to 3.
    assert_eq!(data.qfrc_actuator(), [300.0, 0.0]);
    assert!(data.qvel()[0] > 0.0);
    assert_eq!((data.cinert().len(), data.cvel().len(), data.cfrc_ext().len()), (30, 18, 18));
    data.reset();
    assert_eq!((data.time(), data.qpos()), (0.0, [0.0, 0.0].as_slice()));
}

#[test]
fn data_moves_between_threads_and_models_are_shared() {
    let model = pendulum();
    let run = |mut data: Data| {
        data.qpos_mut()[1] = 0.1;
        data.step(100);
        data.qpos().to_vec()
    };
    let expect = run(Data::new(&model).unwrap());
    let threads: Vec<_> =
        (0..4).map(|_| Data::new(&model).unwrap()).map(|d| std::thread::spawn(move || run(d))).collect();
    drop(model);
    threads.into_iter().for_each(|thread| assert_eq!(thread.join().unwrap(), expect));
}

#[test]
fn a_warning_is_counted_and_no_log_is_written() {
    let mut data = Data::new(&pendulum()).unwrap();
    let before = warnings().count;
    data.qvel_mut()[0] = f64::NAN;
    data.step(1);
    let after = warnings();
    assert!(after.count > before);
    assert!(after.last.unwrap().contains("QVEL"));
    // MuJoCo sets an unstable simulation back.
    assert!(data.qvel().iter().all(|v| v.is_finite()));
    assert!(!Path::new("MUJOCO_LOG.TXT").exists());
}

#[test]
fn a_model_that_does_not_compile_gets_mujocos_message() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broken.xml");
    let check = |expect: &str| {
        let error = Model::load_xml(&path).map(drop).unwrap_err();
        assert!(error.is::<BadInput>() && error.to_string().contains(expect), "{error:#}");
    };
    check("broken.xml does not exist");
    std::fs::write(&path, "<mujoco><worldbody><body><geom/></body></worldbody></mujoco>").unwrap();
    check("MuJoCo cannot compile ");
    std::fs::write(&path, "<mujoco><wheel/></mujoco>").unwrap();
    check("unrecognized element");

    let composed = "<mujoco><asset><mesh file=\"/nowhere/pad.stl\"/></asset><worldbody/></mujoco>";
    let error = Model::from_xml(composed, Path::new("parts")).map(drop).unwrap_err();
    assert!(error.is::<BadInput>(), "{error:#}");
    let error = error.to_string();
    assert!(error.contains("made of parts in parts: ") && error.contains("/nowhere/pad.stl"), "{error}");
}

#[test]
fn a_model_that_one_simulation_has_to_itself_can_be_changed() {
    let mut data = Data::new(&pendulum()).unwrap();
    data.model_mut().body_pos_mut()[3] = 0.5;
    data.forward();
    assert_eq!(data.xpos()[3..6], [0.5, 0.0, 0.0]);
    data.model_mut().actuator_gain_mut(0)[0] = 2.0;
    data.ctrl_mut()[0] = 1.0;
    data.forward();
    // Gear 100.
    assert_eq!(data.qfrc_actuator()[0], 200.0);
    assert_eq!((data.model().joint_qpos("hinge"), data.model().joint_qpos("wheel")), (Some(1), None));
    assert_eq!((data.model().actuator_id("slide"), data.model().site_id("slide")), (Some(0), None));
}

#[test]
#[should_panic(expected = "a model that one simulation has to itself")]
fn a_shared_model_is_not_changed() {
    let model = pendulum();
    Data::new(&model).unwrap().model_mut();
}

#[test]
fn what_is_installed_is_found_by_the_doctor() {
    let setup = Setup::from_process();
    install::ensure(&setup).unwrap();
    let findings = doctor(&setup);
    assert_eq!(findings[0].found.as_deref(), Some("3.2.7"));
    assert_eq!(findings[1].found.as_deref(), Some("1.4.0"));
    assert_eq!(Library::get().unwrap().version_name(), "3.2.7");
}
